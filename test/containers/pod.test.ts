import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { stringify } from "yaml";
import { openContainers, ROOT, type Containers } from "../helpers/containers.ts";
import { commandsOf } from "../helpers/documents.ts";
import { playPod, type Pod } from "../helpers/kubelet/pod.ts";
import {
  isProbeOpen,
  NGINX_PORT,
  OPS_PORT,
  scrapePod,
  watchPod,
  type Sight,
} from "../helpers/kubelet/sights.ts";
import type { Ended, Termination } from "../helpers/kubelet/termination.ts";
import { writeOverlay, type Component } from "../helpers/kustomize/overlay.ts";
import { render } from "../helpers/kustomize/render.ts";
import { Load } from "../helpers/load.ts";
import { DASHBOARD_EXPRESSIONS, RULE_EXPRESSIONS, RULES_FILE } from "../helpers/monitoring.ts";
import { needs, needsRoot } from "../helpers/needs.ts";
import { startPrometheus } from "../helpers/prometheus.ts";
import { readPromql } from "../helpers/promql.ts";

const APP_IMAGE = "localhost/pod-app";
const FOLDER = join(ROOT, "test/fixtures/pod");
const DOCUMENTS = ["docs/kubernetes.md", "docs/runbooks.md"];
/** Between an event and what follows from it, on a machine that is busy. */
const SOON_MS = 5_000;

const { skip } = needs("podman", "buildah", "runc", "nginx", "promtool", "prometheus");

describe("the pod of k8s/", { skip: skip || needsRoot().skip }, () => {
  it("serves by way of a socket of another user, and gets over the death of each container", async (t) => {
    const { containers, pod } = await openPod(t, []);
    assert.equal((await pod.ask(NGINX_PORT, "/")).text(), "hello\n");

    const socket = statSync(join(pod.pathOf("socket"), "app.sock"));
    assert.deepEqual([socket.uid, socket.gid, socket.mode & 0o777], [1000, 2000, 0o660]);
    assert.deepEqual(await idsOf(containers, pod, "outrigger"), ["1000", "1000", "2000"]);
    assert.deepEqual(await idsOf(containers, pod, "nginx"), ["101", "101", "2000"]);
    for (const container of ["outrigger", "nginx"]) {
      const write = ["exec", pod.nameOf(container), "touch", "/written"];
      assert.match((await containers.tryPodman(write)).stderr, /Read-only file system/);
    }

    for (const command of DOCUMENTS.flatMap(commandsOf).filter((one) => one.startsWith("kubectl")))
      await runInPod(containers, pod, command);

    for (let restarts = 1; restarts <= 3; restarts += 1) {
      // SIGKILL leaves the file behind, and the next start finds it there.
      await pod.restart("outrigger");
      assert.equal((await pod.ask(NGINX_PORT, "/")).text(), "hello\n");
      assert.match(await pod.logs("outrigger"), /"msg":"stale socket replaced"/);
      const metrics = await scrapePod(pod);
      assert.equal(metrics.value("outrigger_socket_stale_removed_total"), 1);
    }
    await pod.restart("nginx");
    assert.equal((await pod.ask(NGINX_PORT, "/")).text(), "hello\n");
  });

  it("loses no request when it ends as a native sidecar: nginx goes first", async (t) => {
    const { pod } = await openPod(t, []);
    const load = new Load({ host: pod.address, port: NGINX_PORT });
    await load.answers(100);
    const { termination, seen } = await endUnderLoad(pod, load);
    const { outrigger } = endsOf(termination);

    // 0 s: nginx sleeps, nobody is told anything.
    assertSidecarGoesLast(termination);
    const told = seen.filter(({ untilMs }) => untilMs < outrigger.signalledAtMs);
    assert.ok(
      told.length > 10 && told.every(({ ready, phase }) => ready === 200 && phase === "ready"),
    );
    await assertClean(pod, termination, load);
    t.diagnostic(describeEnds(termination));
  });

  it("closes the probe port when it is told to go, long before the sidecar's turn", async (t) => {
    const { pod } = await openPod(t, ["lb-probe"]);
    const load = new Load({ host: pod.address, port: NGINX_PORT });
    await load.answers(100);
    assert.equal(await isProbeOpen(pod), true);
    const { termination, seen } = await endUnderLoad(pod, load);
    const { nginx, outrigger } = endsOf(termination);

    assertSidecarGoesLast(termination);
    // The hook starts a Node, which takes its time on a busy machine. A look that sees the change may see both sides.
    const [, ...announced] = seen.filter(
      ({ phase, untilMs }) => phase === "draining" && untilMs < outrigger.signalledAtMs,
    );
    assert.ok((announced[0]?.fromMs ?? Infinity) < nginx.signalledAtMs);
    assert.ok(announced.every(({ ready, live, probe }) => ready === 503 && live === 200 && !probe));
    assert.ok(
      announced.every(({ serves }) => serves),
      "refused requests while nginx was there",
    );
    await assertClean(pod, termination, load);
    t.diagnostic(describeEnds(termination));
  });

  it("loses no request when it ends as two containers: Outrigger waits for nginx's pid file", async (t) => {
    const { pod } = await openPod(t, ["lb-probe", "classic"]);
    const target = `${pod.address}:${OPS_PORT}`;
    const prometheus = await startPrometheus(t, { target, rules: RULES_FILE });
    const load = new Load({ host: pod.address, port: NGINX_PORT });
    await load.answers(100);
    assert.equal(await isProbeOpen(pod), true);
    const { termination, seen } = await endUnderLoad(pod, load);
    const { nginx, outrigger } = endsOf(termination);

    // 0 s: SIGTERM to Outrigger, after its hook: not ready, but serving.
    assert.ok(outrigger.signalledAtMs < nginx.signalledAtMs, describeEnds(termination));
    // A look that sees the beginning may see both sides of it.
    const draining = seen.filter(({ phase }) => phase === "draining").slice(1);
    assert.ok(draining.length > 10);
    assert.ok(draining.every(({ ready, live, probe }) => ready === 503 && live === 200 && !probe));
    assert.ok(
      draining.every(({ serves }) => serves),
      "refused requests while nginx was there",
    );
    // 15 s: SIGQUIT to nginx. Outrigger goes as soon as nginx has removed its pid file.
    assert.ok(
      nginx.signalledAtMs >= 15_000 && nginx.signalledAtMs < 15_000 + SOON_MS,
      describeEnds(termination),
    );
    assert.ok(outrigger.endedAtMs > nginx.signalledAtMs, describeEnds(termination));
    assert.ok(outrigger.endedAtMs < nginx.endedAtMs + SOON_MS, describeEnds(termination));
    assert.ok(outrigger.endedAtMs < pod.spec.gracePeriodMs - SOON_MS, describeEnds(termination));
    await assertClean(pod, termination, load);
    t.diagnostic(describeEnds(termination));

    // All that rules and dashboard read, the drain included, and nothing of it was worth an alert.
    const read = [...RULE_EXPRESSIONS, ...DASHBOARD_EXPRESSIONS].flatMap(({ promql }) =>
      readPromql(promql).selectors.map(({ metric }) => metric),
    );
    const names = [...new Set(read)];
    const found = prometheus
      .query(`count by (__name__) (last_over_time({__name__=~"${names.join("|")}"}[10m]))`)
      .join("\n");
    assert.deepEqual(
      names.filter((name) => !found.includes(`"${name}"`) && !found.includes(`${name} =>`)),
      [],
      found,
    );
    assert.deepEqual(prometheus.query(`last_over_time(ALERTS{alertstate="firing"}[10m])`), []);
  });
});

/** Does with podman what a command of the documents does with kubectl, if it is about one container. */
async function runInPod(containers: Containers, pod: Pod, command: string): Promise<void> {
  const [, verb, name = "", rest = ""] =
    /^kubectl (exec|logs) deploy\/outrigger -c (\w+)(.*)$/.exec(command) ?? [];
  if (verb === "exec") {
    const [, args = ""] = rest.split(" -- ");
    await containers.podman(["exec", pod.nameOf(name), ...args.split(" ")]);
  }
  if (verb === "logs") assert.match(await pod.logs(name), /"msg":"ready"/);
}

/** The manifests with an app of ours in place of the example. */
async function openPod(
  t: TestContext,
  components: readonly Component[],
): Promise<{ readonly containers: Containers; readonly pod: Pod }> {
  const containers = await openContainers(t);
  await containers.build({
    tag: APP_IMAGE,
    dockerfile: join(FOLDER, "Dockerfile"),
    context: FOLDER,
  });
  const images = [{ name: "example/app", newName: APP_IMAGE }];
  const resources = render(await writeOverlay(t, { components, more: { images } }));
  return { containers, pod: await playPod(t, containers, resources) };
}

async function endUnderLoad(
  pod: Pod,
  load: Load,
): Promise<{ readonly termination: Termination; readonly seen: readonly Sight[] }> {
  const seen: Sight[] = [];
  const ending = pod.terminate();
  const over = new AbortController();
  const watching = watchPod(pod, over.signal, seen);
  // Body after body begins and ends while the pod goes.
  const termination = await ending;
  await load.refused();
  over.abort();
  await watching;
  return { termination, seen };
}

/** Every request was answered, both ended by themselves, and nothing is left in the volumes. */
async function assertClean(pod: Pod, termination: Termination, load: Load): Promise<void> {
  const { nginx, outrigger } = endsOf(termination);
  assert.deepEqual(load.failures, []);
  const said = await pod.logs("nginx");
  assert.doesNotMatch(said, /upstream|connect\(\)|\[(?:crit|error|alert|emerg)\]/);
  const statuses = [...said.matchAll(/" (\d{3}) \d+ "/g)].map(([, status]) => status);
  assert.ok(statuses.length >= load.answered, `${load.answered} answers, ${statuses.length} lines`);
  assert.deepEqual(
    statuses.filter((status) => status !== "200"),
    [],
  );
  assert.deepEqual([nginx.exitCode, outrigger.exitCode], [0, 0], await pod.logs("outrigger"));
  assert.deepEqual(readdirSync(pod.pathOf("socket")), []);
  assert.deepEqual(readdirSync(pod.pathOf("nginx-run")), []);
  const log = await pod.logs("outrigger");
  assert.match(log, /"msg":"stopped"/);
  assert.doesNotMatch(log, /"level":[56]0/);
  assert.equal(termination.livenessFailures, 0);
}

/** 15 s: SIGQUIT to nginx. Only when it has gone SIGTERM to Outrigger, which has nobody left to serve. */
function assertSidecarGoesLast(termination: Termination): void {
  const { nginx, outrigger } = endsOf(termination);
  const said = describeEnds(termination);
  assert.ok(nginx.signalledAtMs >= 15_000 && nginx.signalledAtMs < 15_000 + SOON_MS, said);
  assert.ok(nginx.endedAtMs < 45_000 + SOON_MS, said);
  assert.ok(outrigger.signalledAtMs >= nginx.endedAtMs, said);
  assert.ok(outrigger.endedAtMs - outrigger.signalledAtMs < SOON_MS, said);
}

function endsOf({ containers }: Termination): { readonly nginx: Ended; readonly outrigger: Ended } {
  const { nginx, outrigger } = containers;
  assert.ok(nginx !== undefined && outrigger !== undefined);
  return { nginx, outrigger };
}

function describeEnds({ containers }: Termination): string {
  return stringify(containers, (_, value: unknown) =>
    typeof value === "number" ? Math.round(value) : value,
  ).trim();
}

/** User, group, and the supplementary group that is not its own, of the first process of a container. */
async function idsOf(containers: Containers, pod: Pod, container: string): Promise<string[]> {
  const { Pid: pid } = (await containers.inspect(pod.nameOf(container))).State;
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const read = (name: string): string[] =>
    (new RegExp(`^${name}:\\s+(.*)$`, "m").exec(status)?.[1] ?? "").trim().split(/\s+/);
  const [uid = "", gid = ""] = [read("Uid")[0], read("Gid")[0]];
  return [uid, gid, ...read("Groups").filter((group) => group !== gid)];
}
