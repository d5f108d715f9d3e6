require("./express-common.cjs")(require("express4"));
