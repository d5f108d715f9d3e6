import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { commandsOf } from "../helpers/documents.ts";
import { needs, needsRoot } from "../helpers/needs.ts";
import { needsOwnMachine, runOnOwnMachine } from "../helpers/own-machine.ts";

/** What runs a command of a document in a shell, and fails if it does not do what it is for. */
interface Way {
  readonly pattern: RegExp;
  readonly script: (command: string) => string;
}

const READY = "outrigger wait --until ready --timeout 30s";
/** Starts the app with these arguments, and stops it behind what is done meanwhile. */
function whileServing(start: string, ...lines: readonly string[]): string {
  return [
    `${start} >log 2>&1 &`,
    "served=$!",
    READY,
    ...lines,
    "kill $served",
    "wait $served || { cat log; exit 1; }",
  ].join("\n");
}

const EXAMPLE = fileURLToPath(new URL("../../examples/hello/app.ts", import.meta.url));
const SERVE = "outrigger ./app.js --socket /run/app/app.sock";
const CERTIFICATE =
  "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=x -keyout /etc/tls/tls.key -out /etc/tls/tls.crt 2>/dev/null";

const WAYS: readonly Way[] = [
  // What runs the suite has run these.
  { pattern: /^npm ci && npm test$/, script: () => "true" },
  // The program it starts, without the build: other tests use what is built.
  { pattern: /^npm ci && npm start$/, script: () => whileServing("outrigger ./app.js --socket /run/app/app.sock") },
  { pattern: /^curl --unix-socket run\/hello\.sock /, script: (command) => `mkdir -p run\n${whileServing(`outrigger ${EXAMPLE} --socket run/hello.sock`, `${command} | grep .`)}` },
  { pattern: /^curl /, script: (command) => whileServing(SERVE, `${command} | grep .`) },
  // It does not pass signals on, as the document says: the program itself is told.
  { pattern: /^npx outrigger /, script: (command) => `mkdir -p run\n${command} >log 2>&1 &\n${READY}\nkill $(outrigger status --json | node -p 'JSON.parse(require("fs").readFileSync(0, "utf8")).supervisor.pid')\nwait $!` },
  { pattern: /^outrigger \.\/app\.js .*tls-cert/, script: (command) => `${CERTIFICATE}\n${whileServing(command)}` },
  { pattern: /^outrigger \.\/app\.js /, script: (command) => whileServing(command) },
  { pattern: /^outrigger (?:probe|wait|drain) /, script: (command) => whileServing(SERVE, command) },
  { pattern: /^outrigger status --watch$/, script: (command) => whileServing(SERVE, `timeout --signal=INT 2 ${command} | grep app.sock`) },
  { pattern: /^outrigger check /, script: (command) => `${command} | grep '^ok'` },
  { pattern: /^outrigger print nginx .* > (\S+)$/, script: (command) => `${command}\ngrep upstream outrigger.conf` },
  { pattern: /^outrigger print systemd.* > (\S+)$/, script: (command) => `${command}\ngrep '^\\[Unit\\]' ${/ > (\S+)$/.exec(command)?.[1]}` },
  { pattern: /^useradd /, script: (command) => `${command}\ngrep '^outrigger:' /etc/passwd` },
  { pattern: /^cp outrigger\.service web\.socket /, script: (command) => `touch outrigger.service web.socket\nmkdir -p /etc/systemd/system\n${command}` },
  // Only a running systemd can tell; the units themselves are verified and run by other tests.
  { pattern: /^systemctl /, script: () => "true" },
  {
    pattern: /^systemd-socket-activate .* -l (\S+) /,
    script: (command) => [
      `${command} >log 2>&1 &`,
      "served=$!",
      "until curl -s --unix-socket /run/web.sock http://x/ | grep hello; do kill -0 $served || { cat log; exit 1; }; done",
      "kill $served",
      "wait $served",
    ].join("\n"),
  },
]; // prettier-ignore

const tools = needs("busybox", "curl", "openssl", "systemd-socket-activate");
const lacks = [tools, needsRoot(), needsOwnMachine()].map(({ skip }) => skip);
const skip = lacks.find((why) => why !== false) ?? false;

for (const document of [
  "README.md",
  "docs/apps.md",
  "docs/behaviour.md",
  "docs/operations.md",
  "docs/systemd.md",
]) {
  describe(document, { concurrency: 2, skip }, () => {
    for (const command of new Set(commandsOf(document))) {
      it(`has a command that works: ${command}`, async (t) => {
        const way = WAYS.find(({ pattern }) => pattern.test(command));
        assert.ok(way !== undefined, "there is no way to run it here");
        const { code, stdout, stderr } = await runOnOwnMachine(t, way.script(command));
        assert.equal(code, 0, stdout + stderr);
      });
    }
  });
}
