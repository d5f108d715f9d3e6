const polka = require("polka");
const sirv = require("sirv");
const bodyParser = require("body-parser");
const { Readable } = require("node:stream");
const { parts } = require("./told.mjs");

polka()
  .use(bodyParser.json())
  .use("static", sirv(`${__dirname}/public`))
  .get("/hello/:name", (req, res) => res.end(`hello ${req.params.name}`))
  .post("/json", (req, res) => res.end(JSON.stringify({ got: req.body.value })))
  .get("/stream", (req, res) => Readable.from(parts()).pipe(res))
  .get("/ip", (req, res) => res.end(req.socket.remoteAddress))
  .listen(process.env.PORT || 3000, (error) => {
    if (error) throw error;
  });
