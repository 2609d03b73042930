/** A session at any moment of its log: who changed what, and what it looked like then. */

import * as Y from "yjs";
import { Root } from "./document/schema.ts";
import { textOf } from "./document/values.ts";
import type { DocumentHolder } from "./holder.ts";
import type { JsonObject } from "./json.ts";
import { Messages, type Message } from "./messages.ts";
import { State } from "./state.ts";

/** The log as the server gives it; updates are Yjs updates (v1) in base64. */
export interface Log {
  base: string | null;
  changes: { at: number; user: string; update: string }[];
}

export interface Moment {
  title: string;
  messages: readonly Message[];
  state: JsonObject;
}

export class Replay {
  readonly #log: Log;
  #doc = new Y.Doc();
  #applied = -1;

  constructor(log: Log) {
    this.#log = log;
  }

  /** How many changes the log has; moments are numbered from 0, before the first, to this. */
  get length(): number {
    return this.#log.changes.length;
  }

  /** Who made the change that led to a moment, and when (Unix milliseconds); undefined for the first moment. */
  change(moment: number): { user: string; at: number } | undefined {
    return this.#log.changes[moment - 1];
  }

  /** The session after so many changes. Going on is cheap, going back starts over. */
  at(moment: number): Moment {
    if (moment < this.#applied || this.#applied < 0) this.#start();
    const next = this.#log.changes.slice(this.#applied, moment);
    this.#doc.transact(() => {
      for (const { update } of next) Y.applyUpdate(this.#doc, bytesOf(update));
    });
    this.#applied = Math.max(this.#applied, moment);
    const holder: DocumentHolder = { doc: this.#doc, origin: this, assertMayWrite: () => undefined };
    return {
      title: textOf(this.#doc.getMap(Root.meta).get("title")),
      messages: new Messages(holder, { user: "", device: "", name: "" }).all(),
      state: new State(holder, Root.state).toJSON(),
    };
  }

  #start(): void {
    this.#doc.destroy();
    this.#doc = new Y.Doc();
    this.#applied = 0;
    if (this.#log.base) Y.applyUpdate(this.#doc, bytesOf(this.#log.base));
  }
}

function bytesOf(base64: string): Uint8Array {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}
