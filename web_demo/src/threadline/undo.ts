/**
 * Taking back one's own last edits, whatever others did since.
 *
 * State is undone by Yjs' UndoManager, which knows this replica's edits by their origin and leaves a key alone that
 * somebody else has set later. A message is taken back by its status, because it may not be removed from a shared
 * session. `threadline/undo.py` does the same.
 */

import * as Y from "yjs";

const MAX_STEPS = 1_000;

/** `message` is the id of the message that the step has written, if it has. */
export interface UndoStep {
  readonly message?: string;
  /** False where there was nothing to take back any more. */
  readonly takeBack: () => boolean;
}

export class UndoStack {
  readonly #state: Y.UndoManager;
  readonly #changed: () => void;
  #steps: UndoStep[] = [];

  /** `changed` hears of every step that is added or taken back. */
  constructor(state: Y.Map<unknown>, origin: unknown, changed: () => void) {
    this.#changed = changed;
    this.#state = new Y.UndoManager([state], { trackedOrigins: new Set([origin]), captureTimeout: 0 });
    this.#state.on("stack-item-added", ({ type }: { type: "undo" | "redo" }) => {
      if (type === "undo") this.remember({ takeBack: () => this.#state.undo() !== null });
    });
  }

  /** The step that would be taken back next. */
  get last(): UndoStep | undefined {
    return this.#steps.at(-1);
  }

  remember(step: UndoStep): void {
    this.#steps = [...this.#steps, step].slice(-MAX_STEPS);
    this.#changed();
  }

  /** Takes back the last step that still has an effect, and gives it; undefined where there is none. */
  undo(): UndoStep | undefined {
    for (let step = this.#steps.pop(); step; step = this.#steps.pop()) {
      if (!step.takeBack()) continue;
      this.#changed();
      return step;
    }
    return undefined;
  }

  destroy(): void {
    this.#state.destroy();
  }
}
