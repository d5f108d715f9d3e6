import type { EndpointBody, StatusBody } from "../status-body.ts";
import { createDefinitions } from "./definitions.ts";
import { find, setText } from "./dom.ts";
import { ENDPOINT_COLUMNS, type EndpointRow } from "./endpoint-columns.ts";
import { formatNumberOf, formatSpan } from "./format.ts";
import type { History } from "./history.ts";
import { KeyedTable } from "./keyed-table.ts";
import { explainPhase, progressOf } from "./meaning.ts";
import { listFacts, summarize } from "./summary.ts";
import { keyOfWorker, WORKER_COLUMNS, workerRows, type WorkerRow } from "./worker-columns.ts";

/** Creates the function that shows the newest answer of a history. */
export function createView(): (status: StatusBody, history: History) => void {
  const showFigures = createDefinitions(find("figures"));
  const showFacts = createDefinitions(find("facts"));
  const endpoints = new KeyedTable<EndpointRow>(find("endpoints"), {
    columns: ENDPOINT_COLUMNS,
    keyOf: ({ body }) => body.name,
    empty: "No endpoint is open.",
  });
  const workers = new KeyedTable<WorkerRow>(find("workers"), {
    columns: WORKER_COLUMNS,
    keyOf: keyOfWorker,
    empty: "No worker runs.",
  });
  return (status, history) => {
    showPhase(status);
    showDrain(status);
    showFigures(summarize(status, history.recent()));
    endpoints.update(status.endpoints.map((body) => asRow(body, history)));
    workers.update(workerRows(status.workers));
    setText(find("workers-note"), describeWorkers(status));
    showFacts(listFacts(status));
    setText(find("about"), describeProgram(status));
    find("main").ariaBusy = "false";
  };
}

function asRow(body: EndpointBody, history: History): EndpointRow {
  return { body, recent: history.recent(body.name), moments: history.moments(body.name) };
}

function showPhase(status: StatusBody): void {
  const { title, sentence, tone } = explainPhase(status);
  const heading = find("phase");
  // A live region says it again only when it changes.
  if (heading.textContent !== title) setText(find("news"), `${title}. ${sentence}`);
  setText(heading, title);
  heading.dataset["tone"] = tone;
  document.body.dataset["phase"] = status.phase;
  setText(find("meaning"), sentence);
  setText(find("host"), status.host);
  document.title = `${title} · ${status.host} · outrigger`;
}

function showDrain(status: StatusBody): void {
  const progress = progressOf(status);
  find("drain").hidden = progress === undefined;
  const bar = find("drain-progress");
  if (progress === undefined || !(bar instanceof HTMLProgressElement)) return;
  const { elapsedSeconds, graceSeconds, connections, requests, workers } = progress;
  const left = [
    formatNumberOf(connections, "connection"),
    `${formatNumberOf(requests, "request")} in flight`,
    formatNumberOf(workers, "worker"),
  ];
  const cut =
    graceSeconds === undefined
      ? "nothing is cut before a stop signal comes"
      : `what is open is cut in ${formatSpan(graceSeconds - elapsedSeconds)}`;
  setText(
    find("drain-text"),
    `Draining for ${formatSpan(elapsedSeconds)}; ${cut}. Left: ${left.join(", ")}.`,
  );
  bar.hidden = graceSeconds === undefined;
  bar.max = Math.max(graceSeconds ?? 0, 1);
  bar.value = Math.min(elapsedSeconds, bar.max);
}

function describeWorkers({ workers }: StatusBody): string {
  const ready = workers.slots.filter(({ state }) => state === "ready").length;
  const parts = [`${ready} of ${workers.wanted} ready, ${workers.min_ready} needed.`];
  if (workers.missing > 0) {
    parts.push(`The numbers of ${formatNumberOf(workers.missing, "worker")} are older.`);
  }
  if (workers.stuck) parts.push("Replacing workers has failed for too long.");
  parts.push("An idle event loop shows a delay of 20 ms.");
  return parts.join(" ");
}

function describeProgram({ version, node, supervisor, ...status }: StatusBody): string {
  const up = formatSpan(status.uptime_seconds);
  return `Version ${version} · Node ${node} · PID ${supervisor.pid} · up ${up}`;
}
