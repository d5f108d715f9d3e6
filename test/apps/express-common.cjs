// What both versions of Express are written as; and as generators of apps have it: an app, a server, a port.
const http = require("node:http");
const { Readable } = require("node:stream");
const { parts } = require("./told.mjs");

module.exports = (express) => {
  const app = express();
  app.set("trust proxy", true);
  app.use(express.json());
  app.use("/static", express.static(`${__dirname}/public`));
  app.get("/hello/:name", (req, res) => res.send(`hello ${req.params.name}`));
  app.post("/json", (req, res) => res.json({ got: req.body.value }));
  app.get("/stream", (req, res) => Readable.from(parts()).pipe(res));
  app.get("/ip", (req, res) => res.send(req.ip));

  const server = http.createServer(app);
  server.listen(process.env.PORT || 3000);
  server.on("listening", () => console.log(`Listening on ${server.address().port}`));
  process.on("SIGTERM", () => server.close(() => process.exit(0)));
};
