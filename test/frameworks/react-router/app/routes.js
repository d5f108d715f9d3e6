import { route } from "@react-router/dev/routes";

export default [
  route("hello/:name", "routes/hello.js"),
  route("json", "routes/json.js"),
  route("stream", "routes/stream.js"),
  route("ip", "routes/ip.js"),
];
