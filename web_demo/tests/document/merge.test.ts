/** Two devices edit apart, one in Python and one here; when they meet, both parts are there. */

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import * as Y from "yjs";
import { Counters } from "../../src/threadline/counters.ts";
import { sessionDigest } from "../../src/threadline/document/digest.ts";
import { Root } from "../../src/threadline/document/schema.ts";
import { Draft } from "../../src/threadline/draft.ts";
import { State } from "../../src/threadline/state.ts";
import { bytes, hex, holderOf } from "../fixtures.ts";
import { PythonPeer, type Edit } from "../python_peer.ts";

const CASES = Number(process.env["MERGE_CASES"] ?? 1000);
const TIMEOUT_MS = 120_000;

let python: PythonPeer;
beforeAll(() => {
  python = new PythonPeer();
});
afterAll(() => python.stop());

/** mulberry32: the same cases each time, so that a failure can be looked at. */
function randomOf(seed: number): (most: number) => number {
  let state = seed;
  return (most) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % most;
  };
}

class Device {
  readonly doc = new Y.Doc();
  readonly state = new State(holderOf(this.doc), Root.state);
  readonly counters = new Counters(holderOf(this.doc));
  readonly draft = new Draft(holderOf(this.doc));

  constructor(update: string) {
    Y.applyUpdate(this.doc, bytes(update));
  }

  edit(edits: Edit[]): void {
    for (const edit of edits) this.#edit(edit);
  }

  get update(): string {
    return hex(Y.encodeStateAsUpdate(this.doc));
  }

  #edit([kind, target, value]: Edit): void {
    if (kind === "set") this.state.set(target, value);
    if (kind === "append") this.state.set(target, [...((this.state.get(target) as unknown[]) ?? []), value]);
    if (kind === "add") this.counters.add(target, value);
    if (kind === "insert") {
      const text = this.draft.text;
      const index = Math.min(target, text.length);
      this.draft.set(text.slice(0, index) + value + text.slice(index));
    }
  }
}

/** Both edit what `before` left, one of them in Python; then each has what the other made. */
async function meet(before: Edit[], here: Edit[], there: Edit[]): Promise<Device> {
  const base = new Device("0000");
  base.edit(before);
  const device = new Device(base.update);
  device.edit(here);
  const other = await python.edit(base.update, there);
  Y.applyUpdate(device.doc, bytes(other.update));
  const { digest } = await python.edit(device.update, []);
  expect(sessionDigest(device.doc)).toBe(digest);
  return device;
}

const EMOJI = ["a", "é", "🏨", "日", "👩‍👧"];
const FIELDS = ["city", "nights", "budget", "with/slash", "*star", "~tilde"];

describe.each([0, 1])("%i things there before", (already) => {
  test(`the same dict: both fields stay (${CASES / 2} cases)`, { timeout: TIMEOUT_MS }, async () => {
    const random = randomOf(1);
    for (let seed = 0; seed < CASES / 2; seed += 1) {
      const [mine, theirs] = [FIELDS[random(3)]!, FIELDS[3 + random(3)]!];
      const before: Edit[] = already ? [["set", "trip", { kept: seed }]] : [];
      const kept = already ? { kept: seed } : {};
      const device = await meet(
        before,
        [["set", "trip", { ...kept, [mine]: random(9) }]],
        [["set", "trip", { ...kept, [theirs]: "x" }]],
      );
      expect(Object.keys(device.state.get("trip") as object).sort()).toEqual([...Object.keys(kept), mine, theirs].sort());
    }
  });

  test(`the same list: both elements stay, in order (${CASES / 2} cases)`, { timeout: TIMEOUT_MS }, async () => {
    const random = randomOf(2);
    for (let seed = 0; seed < CASES / 2; seed += 1) {
      const before: Edit[] = already ? [["set", "cart", ["first", seed]]] : [];
      const here = Array.from({ length: 1 + random(3) }, (_, index): Edit => ["append", "cart", `here ${index}`]);
      const there = Array.from({ length: 1 + random(3) }, (_, index): Edit => ["append", "cart", `there ${index}`]);
      const cart = (await meet(before, here, there)).state.get("cart") as unknown[];
      expect(cart.length).toBe(here.length + there.length + (already ? 2 : 0));
      expect(cart.filter((item) => String(item).startsWith("here"))).toEqual(here.map(([, , value]) => value));
      expect(cart.filter((item) => String(item).startsWith("there"))).toEqual(there.map(([, , value]) => value));
    }
  });

  test(`the same counter: all of it adds up (${CASES / 2} cases)`, { timeout: TIMEOUT_MS }, async () => {
    const random = randomOf(3);
    for (let seed = 0; seed < CASES / 2; seed += 1) {
      const amounts = [random(100), random(100), random(100)];
      const [first, here, there] = amounts.map((amount): Edit => ["add", "views", amount]);
      const device = await meet(already ? [first!] : [], [here!, here!], [there!]);
      expect(device.counters.get("views")).toBe((already ? amounts[0]! : 0) + 2 * amounts[1]! + amounts[2]!);
    }
  });

  test(`the same draft: every character stays (${CASES / 2} cases)`, { timeout: TIMEOUT_MS }, async () => {
    const random = randomOf(4);
    for (let seed = 0; seed < CASES / 2; seed += 1) {
      const before: Edit[] = already ? [["insert", 0, "Under $150"]] : [];
      const [mine, theirs] = [EMOJI[random(5)]!.repeat(1 + random(3)), EMOJI[random(5)]!.repeat(1 + random(3))];
      const device = await meet(before, [["insert", random(11), mine]], [["insert", random(11), theirs]]);
      const text = device.draft.text;
      expect(text.isWellFormed()).toBe(true);
      expect(text.length).toBe(mine.length + theirs.length + (already ? 10 : 0));
      expect([...text].sort()).toEqual([...(already ? "Under $150" : ""), ...mine, ...theirs].sort());
    }
  });
});
