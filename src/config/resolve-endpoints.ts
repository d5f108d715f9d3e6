import { OutriggerError } from "../errors.ts";
import { DEFAULTS, type Endpoint } from "./config.ts";
import { nameEndpoints } from "./endpoint-names.ts";
import { parseEndpoint, type EndpointContext, type UnnamedEndpoint } from "./endpoint.ts";
import { chooseLimits } from "./limits.ts";
import { choose, withPlace, type Chosen, type Layer } from "./layers.ts";
import { parseSocketPath } from "./socket-path.ts";
import { ValueError } from "./value-error.ts";

const SOCKET_SETTINGS = ["socket-mode", "socket-group"] as const;

/** Reads `--listen`, or `--socket` and its settings, from the first layer that has either. */
export function resolveEndpoints(layers: readonly Layer[], cwd: string): readonly Endpoint[] {
  for (const layer of layers) refuseBoth(layer);
  const context = {
    cwd,
    backlog: choose(layers, "backlog")?.value ?? DEFAULTS.backlog,
    maxConnections: choose(layers, "max-connections")?.value ?? DEFAULTS.maxConnections,
    limits: chooseLimits((name) => choose(layers, name)?.value, DEFAULTS.limits),
  };
  const winner = layers.find(({ values }) => values.has("listen") || values.has("socket"));
  const socket = winner && choose([winner], "socket");
  if (socket !== undefined) return nameEndpoints([readSocket(layers, socket, context)]);
  refuseStraySettings(layers, winner);
  const listen = winner && choose([winner], "listen");
  if (listen === undefined) return nameEndpoints([parseEndpoint(DEFAULTS.listen, context)]);
  return withPlace(listen.layer, "listen", () => {
    return nameEndpoints(listen.value.map((text) => parseEndpoint(text, context)));
  });
}

function readSocket(
  layers: readonly Layer[],
  socket: Chosen<string>,
  context: EndpointContext,
): UnnamedEndpoint {
  return {
    kind: "unix",
    path: withPlace(socket.layer, "socket", () => readSocketPath(socket.value, context.cwd)),
    mode: choose(layers, "socket-mode")?.value ?? DEFAULTS.socketMode,
    group: choose(layers, "socket-group")?.value,
    owner: undefined,
    backlog: context.backlog,
    maxConnections: context.maxConnections,
    limits: context.limits,
    proxyProtocol: DEFAULTS.proxyProtocol,
    name: undefined,
  };
}

/** `--socket` takes a path and nothing else, so that no part of it can be taken for something else. */
function readSocketPath(text: string, cwd: string): string {
  if (/^(?:unix:|@)/.test(text) || /^[^/]*:\d+$/.test(text)) {
    throw new ValueError(
      text,
      `expected a path alone: did you mean --listen ${text}`,
      "ERR_ENDPOINT",
    );
  }
  if (text.includes("?"))
    throw new ValueError(
      text,
      'options do not belong here, and in --listen "?" of a path is %3F',
      "ERR_ENDPOINT",
    );
  return parseSocketPath(text, cwd);
}

function refuseBoth(layer: Layer): void {
  const [socket] = layer.values.get("socket") ?? [];
  const [listen] = layer.values.get("listen") ?? [];
  if (socket === undefined || listen === undefined) return;
  const both = `${layer.describe("socket", socket)} together with ${layer.describe("listen", listen)}`;
  throw new OutriggerError("ERR_USAGE", `Cannot use ${both}: the one is short for the other`);
}

/** Settings of a socket that an upper layer replaced go with it; any other would be ignored in silence. */
function refuseStraySettings(layers: readonly Layer[], winner: Layer | undefined): void {
  const firstSocket = layers.findIndex(({ values }) => values.has("socket"));
  for (const name of SOCKET_SETTINGS) {
    const index = layers.findIndex(({ values }) => values.has(name));
    const layer = layers[index];
    if (layer === undefined) continue;
    const wasReplaced =
      firstSocket !== -1 && winner !== undefined && index > layers.indexOf(winner);
    if (wasReplaced) continue;
    const place = layer.describe(name, layer.values.get(name)?.at(-1) ?? "");
    const reason = `it belongs to --socket, and no socket is given; with --listen write ?${name.slice("socket-".length)}=`;
    throw new OutriggerError("ERR_USAGE", `Cannot use ${place}: ${reason}`);
  }
}
