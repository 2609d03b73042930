/** Counters that add up: each client id writes its own share, and the value is the sum of all shares. */

import type * as Y from "yjs";
import { Root } from "./document/schema.ts";
import type { DocumentHolder } from "./holder.ts";

export class Counters {
  readonly #holder: DocumentHolder;
  readonly #remember: (takeBack: () => boolean) => void;

  /** `remember` is given the way back of every addition. */
  constructor(holder: DocumentHolder, remember: (takeBack: () => boolean) => void = () => undefined) {
    this.#holder = holder;
    this.#remember = remember;
  }

  /** The value; a counter that nobody has added to is 0. */
  get(name: string): number {
    return this.toJSON()[name] ?? 0;
  }

  /** Adds to this replica's share and gives back the new value. Throws for what is not finite. */
  add(name: string, amount = 1): number {
    if (!Number.isFinite(amount)) throw new RangeError(`A counter takes finite numbers, not ${amount}.`);
    this.#write(name, amount);
    this.#remember(() => {
      this.#write(name, -amount);
      return true;
    });
    return this.get(name);
  }

  #write(name: string, amount: number): void {
    const { doc, origin } = this.#holder;
    const key = `${name}/${doc.clientID}`;
    this.#holder.assertMayWrite(Root.counters, key);
    doc.transact(() => this.#map().set(key, shareOf(this.#map().get(key)) + amount), origin);
  }

  toJSON(): Record<string, number> {
    const totals = new Map<string, number>();
    for (const [key, share] of this.#map()) {
      const slash = key.lastIndexOf("/");
      if (slash < 0) continue;
      const name = key.slice(0, slash);
      totals.set(name, (totals.get(name) ?? 0) + shareOf(share));
    }
    return Object.fromEntries([...totals].sort(([left], [right]) => (left < right ? -1 : 1)));
  }

  #map(): Y.Map<unknown> {
    return this.#holder.doc.getMap(Root.counters);
  }
}

function shareOf(value: unknown): number {
  return typeof value === "number" && Number.isFinite(value) ? value : 0;
}
