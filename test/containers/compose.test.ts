import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { Ajv } from "ajv";
import { parse } from "yaml";
import { readCompose, startOrder, startService, type ComposeFile } from "../helpers/compose.ts";
import { needsContainers, ROOT, suiteContainers } from "../helpers/containers.ts";
import { eventually } from "../helpers/deadline.ts";
import { request, type Response } from "../helpers/http.ts";
import { runProgram } from "../helpers/run-program.ts";

const DEADLINE_MS = 30_000;
const SCHEMA = "node_modules/dclint/schemas/compose.schema.json";
/** Debian has no Grafana to make a stand-in of. */
const NOT_RUN = ["grafana"];

function read(path: string): string {
  return readFileSync(join(ROOT, path), "utf8");
}

/** Files and folders of the repository that services mount. */
function mountsOf(service: string): readonly (readonly string[])[] {
  const volumes = readCompose().services[service]?.volumes ?? [];
  return volumes.map((mount) => mount.split(":")).filter(([source = ""]) => source.startsWith("."));
}

/** `8080` of `127.0.0.1:8080:80`. */
function hostPort([published = ""]: readonly string[]): string | undefined {
  return published.split(":").at(-2);
}

describe("compose.yaml", () => {
  it("follows the schema of the Compose Specification", () => {
    const ajv = new Ajv({ strict: false, validateFormats: false });
    // It names its draft in a way that is not the draft's own.
    const { $schema: _, ...schema } = JSON.parse(read(SCHEMA)) as Record<string, unknown>;
    const validate = ajv.compile(schema);
    assert.ok(validate(readCompose()), ajv.errorsText(validate.errors));
    assert.ok(!validate({ services: { app: { imagee: "x" } } }));
  });

  it("confines every service, watches its health and pins its image", () => {
    for (const [name, service] of Object.entries(readCompose().services)) {
      assert.equal(service["read_only"], true, name);
      assert.deepEqual(service["cap_drop"], ["ALL"], name);
      assert.deepEqual(service["security_opt"], ["no-new-privileges:true"], name);
      assert.ok(service["healthcheck"] !== undefined, name);
      assert.ok(service["build"] !== undefined || /:v?\d/.test(service.image), service.image);
      for (const [source = ""] of mountsOf(name))
        assert.ok(existsSync(join(ROOT, source)), `${name} mounts ${source}, which does not exist`);
    }
  });

  it("gives Grafana the data source and the dashboard where its provisioning looks for them", () => {
    const { datasources } = parse(read("docker/grafana/datasources.yml")) as {
      readonly datasources: readonly Readonly<Record<string, unknown>>[];
    };
    assert.deepEqual(
      datasources.map(({ type, url, isDefault }) => [type, url, isDefault]),
      [["prometheus", "http://prometheus:9090", true]],
    );
    const { providers } = parse(read("docker/grafana/dashboards.yml")) as {
      readonly providers: readonly { readonly options: { readonly path: string } }[];
    };
    const mounts = mountsOf("grafana");
    const [dashboard] = mounts.filter(([, target]) =>
      providers.some(({ options }) => target?.startsWith(`${options.path}/`)),
    );
    const { grafana } = readCompose().services;
    const environment = grafana?.["environment"] as Readonly<Record<string, string>>;
    const home = environment["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"];
    assert.deepEqual(dashboard, ["./k8s/monitoring/dashboard.json", home, "ro"]);
    const { title, panels } = JSON.parse(read("k8s/monitoring/dashboard.json")) as {
      readonly title: string;
      readonly panels: readonly unknown[];
    };
    assert.ok(title !== "" && panels.length > 0);
    for (const kind of ["datasources", "dashboards"]) {
      const targets = mounts.map(([, target]) => target);
      assert.ok(targets.includes(`/etc/grafana/provisioning/${kind}/outrigger.yml`));
    }
  });
});

describe("outrigger print compose", () => {
  it("says of the app and of nginx what compose.yaml says", async (t) => {
    const { stdout } = await runProgram(t, [
      "print", "compose", "./app.ts", "--socket", "/run/outrigger/app.sock", "--ops", ":9464",
    ]); // prettier-ignore
    const printed = parse(stdout) as ComposeFile;
    const { services } = readCompose();
    const common = ["read_only", "cap_drop", "security_opt", "stop_grace_period", "stop_signal"];
    for (const name of ["app", "nginx"])
      for (const key of common)
        assert.deepEqual([key, printed.services[name]?.[key]], [key, services[name]?.[key]]);
    for (const key of ["image", "group_add", "depends_on", "ports"])
      assert.deepEqual(printed.services["nginx"]?.[key], services["nginx"]?.[key]);
    const [ours, theirs] = [printed, readCompose()].map(
      (file) => file.services["app"]?.["healthcheck"] as Readonly<Record<string, unknown>>,
    );
    assert.deepEqual({ ...ours, test: undefined }, { ...theirs, test: undefined });
  });
});

describe("docker/nginx.conf", () => {
  it("says what outrigger print nginx says", async (t) => {
    const { stdout } = await runProgram(t, [
      "print", "nginx", "--socket", "/run/outrigger/app.sock",
    ]); // prettier-ignore
    const lines = read("docker/nginx.conf")
      .split("\n")
      .map((line) => line.trim());
    for (const line of stdout.split("\n").map((text) => text.trim()))
      assert.ok(lines.includes(line), line);
  });

  it("is that of the pod", () => {
    assert.equal(read("docker/nginx.conf"), read("k8s/base/nginx.conf"));
  });
});

describe("docker compose up", needsContainers(), () => {
  const open = suiteContainers();
  const compose = readCompose();
  const order = startOrder(compose).filter((name) => !NOT_RUN.includes(name));

  it("starts the services one after the other, each healthy", async () => {
    assert.ok(order.indexOf("app") < order.indexOf("nginx"));
    for (const name of order) {
      const service = compose.services[name];
      assert.ok(service !== undefined);
      await startService(open(), name, service);
    }
  });

  it("answers every page of the app through nginx", async () => {
    for (const [path, status, text] of [
      ["/", 200, "Hello from Outrigger\n"],
      ["/json", 200, `{"hello":"world"`],
      ["/stream", 200, "line 5\n"],
      ["/slow?ms=10", 200, "Worth the wait\n"],
      ["/none", 404, "Try /"],
      ["/nginx-ready", 200, ""],
    ] as const) {
      const answer = await get("nginx", path);
      assert.deepEqual([path, answer.status], [path, status]);
      assert.ok(answer.text().includes(text), answer.text());
    }
  });

  it("answers the pages of the ops endpoint", async () => {
    for (const path of ["/livez", "/startupz", "/readyz", "/healthz", "/metrics", "/status"])
      assert.deepEqual([path, (await get("app", path)).status], [path, 200]);
  });

  it("answers every page the documentation names, where it runs here", async () => {
    const urls = [...read("docs/containers.md").matchAll(/<(http:\/\/localhost:\S+)>/g)];
    const byPort = new Map(
      Object.entries(compose.services).map(([name, { ports = [] }]) => [hostPort(ports), name]),
    );
    for (const [, url = ""] of urls) {
      const { port, pathname, search } = new URL(url);
      const name = byPort.get(port);
      assert.ok(name !== undefined, `nothing is published for ${url}`);
      if (NOT_RUN.includes(name)) continue;
      // Debian's Prometheus has no pages; what they show comes from here.
      const path = name === "prometheus" ? `/api/v1${pathname}` : pathname + search;
      assert.deepEqual([url, (await get(name, path)).status], [url, 200]);
    }
  });

  it("has Prometheus scrape the app and load the rules", async () => {
    const query = `/api/v1/query?query=${encodeURIComponent(`up{job="outrigger"} == 1`)}`;
    await eventually(
      DEADLINE_MS,
      async () => (await get("prometheus", query)).text().includes("app:9464") || undefined,
      "Prometheus to have scraped the app",
    );
    const { data } = (await get("prometheus", "/api/v1/rules")).json() as {
      readonly data: { readonly groups: readonly unknown[] };
    };
    assert.ok(data.groups.length > 0);
  });

  it("stops nginx first, and then the app, which exits with 0 and leaves no socket", async () => {
    for (const name of order.toReversed()) {
      await open().podman(["stop", name]);
      assert.deepEqual([name, await open().exitCode(name)], [name, 0]);
    }
    assert.deepEqual(await readdir(await open().pathOf("socket")), []);
  });

  /** Asks a service at the first port it publishes. */
  async function get(name: string, path: string): Promise<Response> {
    const [published = ""] = compose.services[name]?.ports ?? [];
    const port = Number(published.split(":").at(-1));
    return await request({ host: await open().addressOf(name), port, path });
  }
});
