const connect = require("connect");
const sirv = require("sirv");
const bodyParser = require("body-parser");
const { Readable } = require("node:stream");
const { parts } = require("./told.mjs");

const app = connect();
app.use(bodyParser.json());
app.use("/static", sirv(`${__dirname}/public`));
app.use("/hello", (req, res) => res.end(`hello ${req.url.slice(1)}`));
app.use("/json", (req, res) => res.end(JSON.stringify({ got: req.body.value })));
app.use("/stream", (req, res) => Readable.from(parts()).pipe(res));
app.use("/ip", (req, res) => res.end(req.socket.remoteAddress));
app.listen(process.env.PORT || 3000);
