import type { StatusBody } from "../status-body.ts";
import { Connection } from "./connection.ts";
import { find, setText } from "./dom.ts";
import { History } from "./history.ts";
import { Poller } from "./poller.ts";
import { createView } from "./view.ts";

const INTERVAL_MS = 1_000;
const TIMEOUT_MS = 5_000;

const history = new History();
const connection = new Connection();
const show = createView();
const poller = new Poller(poll, INTERVAL_MS);
const pause = find("pause");

async function poll(signal: AbortSignal): Promise<void> {
  try {
    const status = await askStatus(AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]));
    history.add(status);
    show(status, history);
    connection.answered();
  } catch (error) {
    if (!signal.aborted) connection.failed(describeFailure(error));
  }
}

async function askStatus(signal: AbortSignal): Promise<StatusBody> {
  const { pathname } = location;
  const response = await fetch(`${pathname}?json`, { cache: "no-store", signal });
  if (!response.ok) throw new Error(`it answered ${response.status}`);
  // The page comes from the server that answers, so they agree; if they do not, showing it fails.
  return (await response.json()) as StatusBody;
}

function describeFailure(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === "TimeoutError") return "it takes too long";
  return error instanceof TypeError ? "it cannot be reached" : error.message;
}

/** Nobody looks at a hidden tab. */
function follow(): void {
  if (document.hidden || isPaused()) poller.stop();
  else poller.start();
}

function isPaused(): boolean {
  return pause.ariaPressed === "true";
}

pause.addEventListener("click", () => {
  pause.ariaPressed = String(!isPaused());
  setText(pause, isPaused() ? "Go on" : "Pause");
  if (isPaused()) connection.paused();
  follow();
});
document.addEventListener("visibilitychange", follow);
setInterval(() => connection.tick(), INTERVAL_MS);

// The page may stand behind a proxy, under any path.
const folder = location.pathname.replace(/\/?[^/]*\/?$/, "/");
find("metrics").setAttribute("href", `${folder}metrics`);
find("readyz").setAttribute("href", `${folder}readyz?verbose`);
follow();
