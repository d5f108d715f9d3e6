import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Watchdog } from "../../src/supervisor/watchdog.ts";
import { FakeClock } from "../helpers/fake-clock.ts";

const TIMEOUT_MS = 3_000;

class Setup {
  readonly clock: FakeClock;
  timeoutMs = TIMEOUT_MS;
  readonly watched: { name: string; heardAtMs: number }[];
  /** Who was found silent, as often as that happened. */
  readonly silent: string[] = [];
  readonly watchdog: Watchdog<{ name: string; heardAtMs: number }>;

  constructor(clock: FakeClock = new FakeClock()) {
    this.clock = clock;
    this.watched = ["a", "b"].map((name) => ({ name, heardAtMs: clock.now() }));
    this.watchdog = new Watchdog({
      clock,
      readTimeoutMs: () => this.timeoutMs,
      watched: () => this.watched,
      onSilent: ({ name }) => void this.silent.push(name),
    });
    this.watchdog.start();
  }

  /** Lets time pass, in which one reports every second. */
  passWithReports(name: string, byMs: number): void {
    for (let passedMs = 0; passedMs < byMs; passedMs += 1_000) {
      const one = this.watched.find((watched) => watched.name === name);
      if (one !== undefined) one.heardAtMs = this.clock.now();
      this.clock.advance(1_000);
    }
  }
}

/** A clock whose process does not run for a while: its timers are late. */
class SleepyClock extends FakeClock {
  #sleptMs = 0;

  override now(): number {
    return super.now() + this.#sleptMs;
  }

  sleep(byMs: number): void {
    this.#sleptMs += byMs;
  }
}

describe("Watchdog", () => {
  it("finds those that do not report for as long as the timeout, and no others", () => {
    const setup = new Setup();
    setup.passWithReports("a", TIMEOUT_MS - 1_000);
    assert.deepEqual(setup.silent, []);
    setup.passWithReports("a", 2_000);
    assert.deepEqual(new Set(setup.silent), new Set(["b"]));
  });

  it("finds them within half a second, and says so as long as they are silent", () => {
    const setup = new Setup();
    setup.watched.pop();
    setup.clock.advance(TIMEOUT_MS + 500);
    assert.equal(setup.silent.length, 1);
    setup.clock.advance(1_000);
    assert.equal(setup.silent.length, 3);
    setup.passWithReports("a", 5_000);
    assert.equal(setup.silent.length, 3);
  });

  it("gives those it meets later all of the timeout", () => {
    const setup = new Setup();
    setup.watched.length = 0;
    setup.clock.advance(60_000);
    setup.watched.push({ name: "late", heardAtMs: setup.clock.now() - 60_000 });
    setup.clock.advance(TIMEOUT_MS);
    assert.deepEqual(setup.silent, []);
    setup.clock.advance(500);
    assert.deepEqual(setup.silent, ["late"]);
  });

  it("finds nobody with a timeout of 0, and takes over a new one", () => {
    const setup = new Setup();
    setup.timeoutMs = 0;
    setup.clock.advance(60_000);
    assert.deepEqual(setup.silent, []);
    assert.equal(setup.clock.pending, 0);
    setup.timeoutMs = 1_000;
    setup.watchdog.start();
    setup.clock.advance(1_500);
    assert.deepEqual(new Set(setup.silent), new Set(["a", "b"]));
  });

  for (const [what, byMs] of [
    ["was suspended", 3_600_000],
    ["was held up for a little longer than a look may be late", 1_501],
    ["had its clock set back", -3_600_000],
  ] as const) {
    it(`blames nobody when the machine ${what}`, () => {
      const clock = new SleepyClock();
      const setup = new Setup(clock);
      clock.advance(TIMEOUT_MS - 500);
      clock.sleep(byMs);
      clock.advance(TIMEOUT_MS);
      assert.deepEqual(setup.silent, []);
      clock.advance(1_000);
      assert.deepEqual(
        new Set(setup.silent),
        new Set(["a", "b"]),
        "they have had a fresh interval",
      );
    });
  }

  it("looks no more once it is stopped", () => {
    const setup = new Setup();
    setup.watchdog.stop();
    assert.equal(setup.clock.pending, 0);
  });
});
