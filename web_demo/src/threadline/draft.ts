/** The composer's text, one per user and session: it follows the user to every device. */

import * as Y from "yjs";
import { CompanionRoot } from "./document/schema.ts";
import { spliceBetween } from "./document/text_edit.ts";
import type { DocumentHolder } from "./holder.ts";

/** What is typed with shorter pauses is one step. */
const STEP_MS = 600;

export class Draft {
  readonly #holder: DocumentHolder;
  #steps: { of: Y.Text; undo: Y.UndoManager } | undefined;

  constructor(companion: DocumentHolder) {
    this.#holder = companion;
  }

  get text(): string {
    return this.#text().toString();
  }

  /** Writes the difference to what is there, so that typing on two devices merges. */
  set(text: string): void {
    const { doc, origin } = this.#holder;
    const splice = spliceBetween(this.text, text.toWellFormed());
    if (splice === null) return;
    this.#history();
    doc.transact(() => {
      if (splice.remove) this.#text().delete(splice.index, splice.remove);
      if (splice.insert) this.#text().insert(splice.index, splice.insert);
    }, origin);
  }

  clear(): void {
    this.set("");
  }

  /** Takes back what was typed last on this device; what others typed stays. False where there is nothing. */
  undo(): boolean {
    return this.#history().undo() !== null;
  }

  redo(): boolean {
    return this.#history().redo() !== null;
  }

  /** The text is a message now: it is cleared, and not brought back by `undo`. */
  sent(): void {
    this.clear();
    this.#history().clear();
  }

  /** A reset replica has another text, whose history begins anew. */
  #history(): Y.UndoManager {
    const text = this.#text();
    if (this.#steps?.of !== text) {
      this.#steps?.undo.destroy();
      const trackedOrigins = new Set([this.#holder.origin]);
      this.#steps = { of: text, undo: new Y.UndoManager(text, { trackedOrigins, captureTimeout: STEP_MS }) };
    }
    return this.#steps.undo;
  }

  #text(): Y.Text {
    return this.#holder.doc.getText(CompanionRoot.draft);
  }
}
