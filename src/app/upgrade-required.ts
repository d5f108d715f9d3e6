/** What upgrading a request fails with whose client asks for no WebSocket. */
export class UpgradeRequiredError extends TypeError {
  override readonly name = "UpgradeRequiredError";

  constructor() {
    super("Cannot upgrade a request that asks for no WebSocket");
  }

  /** What its client is told; Hono asks for it under this name. */
  getResponse(): Response {
    const headers = { upgrade: "websocket", connection: "upgrade", "sec-websocket-version": "13" };
    return new Response("Upgrade Required\n", { status: 426, headers });
  }
}

/** Stands in for the upgrade where there is nothing to upgrade to. */
export function refuseUpgrade(): never {
  throw new UpgradeRequiredError();
}
