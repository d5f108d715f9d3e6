require("./express-common.cjs")(require("express"));
