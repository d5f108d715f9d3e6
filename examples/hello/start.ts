/** `npm start`: runs the built program with the hello app, in the place of this process. */
import { existsSync, mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";

const OPS = "127.0.0.1:9464";
const SOCKET = "./run/hello.sock";
const PROGRAM = "dist/main.js";

const GUIDE = `Starting the hello app on ${SOCKET}; in another terminal, try:

  curl --unix-socket run/hello.sock http://hello/
  curl --unix-socket run/hello.sock http://hello/stream
  curl 'http://${OPS}/readyz?verbose'
  curl -s http://${OPS}/metrics | grep outrigger_

Ctrl-C stops it; once more, and it does not wait for open requests.
`;

function start(args: readonly string[]): void {
  process.chdir(fileURLToPath(new URL("../..", import.meta.url)));
  if (!existsSync(PROGRAM)) throw new Error(`Cannot find ${PROGRAM}: run npm run build`);
  mkdirSync("run", { recursive: true });
  console.log(GUIDE);
  // Replacing ourselves leaves nobody in between who would have to pass on signals and the exit code.
  const command = [
    process.execPath,
    PROGRAM,
    "examples/hello/app.ts",
    "--socket",
    SOCKET,
    "--ops",
    OPS,
    ...args,
  ];
  process.execve?.(process.execPath, command);
}

start(process.argv.slice(2));
