/** The composer's text, one per user and session: it follows the user to every device. */

import type * as Y from "yjs";
import { CompanionRoot } from "./document/schema.ts";
import { spliceBetween } from "./document/text_edit.ts";
import type { DocumentHolder } from "./holder.ts";

export class Draft {
  readonly #holder: DocumentHolder;

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
    doc.transact(() => {
      if (splice.remove) this.#text().delete(splice.index, splice.remove);
      if (splice.insert) this.#text().insert(splice.index, splice.insert);
    }, origin);
  }

  clear(): void {
    this.set("");
  }

  #text(): Y.Text {
    return this.#holder.doc.getText(CompanionRoot.draft);
  }
}
