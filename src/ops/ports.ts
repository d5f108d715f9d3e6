import type { Config, OpsEndpoint } from "../config/config.ts";
import type { Logger } from "../log/logger.ts";
import { judge } from "./health.ts";
import { ProbePort } from "./probe-port.ts";
import type { Standing } from "../snapshot.ts";
import type { SnapshotSource } from "./routes.ts";
import { openOpsServer } from "./server.ts";

/** Where both ports get their facts from. */
export interface OpsSource extends SnapshotSource {
  /** What the probe port follows, at once and at little cost: it is asked for at every report of a worker. */
  readonly standing: () => Standing;
}

export interface OpsPortsOptions extends OpsSource {
  readonly config: Pick<Config, "ops" | "probe">;
  readonly log: Logger;
}

/** The ports for those who watch us, while we hold them. */
export interface OpsPorts {
  /** Address of the ops endpoint; undefined when it is off. */
  readonly ops: OpsEndpoint | undefined;
  /** Address of the probe port; undefined when it is off. */
  readonly probe: OpsEndpoint | undefined;
  /** Opens or closes the probe port; to be called whenever readiness may have changed. */
  follow(): void;
  /** Gives back both; the ops endpoint sends the answers that have begun. */
  close(): Promise<void>;
}

/** Opens the ops endpoint and takes the probe port: both, or neither. */
export async function openOpsPorts({ config, log, ...source }: OpsPortsOptions): Promise<OpsPorts> {
  const server = config.ops && (await openOpsServer({ endpoint: config.ops, log, ...source }));
  const isReady = (): boolean => judge("readyz", source.standing()).passed;
  try {
    const probe = config.probe && (await ProbePort.claim({ endpoint: config.probe, log, isReady }));
    return {
      ops: server?.address,
      probe: probe?.address,
      follow: () => probe?.follow(),
      async close() {
        probe?.close();
        await server?.close();
      },
    };
  } catch (error) {
    await server?.close();
    throw error;
  }
}
