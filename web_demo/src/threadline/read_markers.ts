/** How far each device of this user has read, as the number of a message's `seq`. */

import type * as Y from "yjs";
import { CompanionRoot } from "./document/schema.ts";
import { numberOf } from "./document/values.ts";
import type { DocumentHolder } from "./holder.ts";

export class ReadMarkers {
  readonly #holder: DocumentHolder;
  readonly #device: string;

  constructor(companion: DocumentHolder, device: string) {
    this.#holder = companion;
    this.#device = device;
  }

  /** The furthest that any device of this user has read; 0 for nothing. */
  get up_to(): number {
    return Math.max(0, ...[...this.#entries().values()].map(numberOf));
  }

  /** Notes that this device has read up to `number`. It never goes back. */
  mark(number: number): void {
    const entries = this.#entries();
    if (number <= numberOf(entries.get(this.#device))) return;
    this.#holder.doc.transact(() => entries.set(this.#device, number), this.#holder.origin);
  }

  #entries(): Y.Map<unknown> {
    return this.#holder.doc.getMap(CompanionRoot.read);
  }
}
