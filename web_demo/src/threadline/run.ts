/** One run as a handle: where it stands, what happens in it, and how to stop it. */

import { TERMINAL, type RunStatus } from "./document/schema.ts";
import { project, type RunEvent } from "./events.ts";
import type { Verdict } from "./intents.ts";
import type { RunSnapshot } from "./runs.ts";
import type { Session } from "./session.ts";

export class Run {
  readonly id: string;
  readonly #session: Session;

  constructor(session: Session, id: string) {
    this.#session = session;
    this.id = id;
  }

  /** The run as the document has it; undefined until the server has decided on it. */
  get snapshot(): RunSnapshot | undefined {
    return this.#session.runs.get(this.id);
  }

  get status(): RunStatus {
    return this.snapshot?.status ?? "queued";
  }

  /** The text of the reply so far. */
  get output(): string {
    const reply = this.snapshot?.message;
    return (reply && this.#session.messages.get(reply)?.text) || "";
  }

  /** Asks for it to stop; any device may. */
  cancel(reason = ""): void {
    this.#session.intents.cancel(this.id, reason);
  }

  /** Answers a call that waits for an approval. The first answer that the server admits counts. */
  decide(call: string, decision: Verdict, reason = ""): void {
    const approval = this.snapshot?.approvals.find((candidate) => candidate.call === call);
    const arguments_hash = approval?.arguments_hash ?? "";
    this.#session.intents.decide({ run: this.id, call, decision, arguments_hash, reason });
  }

  /**
   * What happened and happens in the run after the event with the id `after`, in order, ending with `done`. Late readers
   * get the same events as those who watched, only texts come in larger pieces. Throws when the session is closed.
   */
  async *events(after?: string): AsyncGenerator<RunEvent, void, void> {
    let last = after;
    for (;;) {
      const changed = this.#session.nextChange();
      const run = this.snapshot;
      for (const event of run ? project(run, this.output, last) : []) {
        last = event.id;
        yield event;
        if (event.type === "done") return;
      }
      await changed;
    }
  }

  /** Waits until the run has ended, and gives back how. */
  async finished(): Promise<RunSnapshot> {
    for (;;) {
      const changed = this.#session.nextChange();
      const run = this.snapshot;
      if (run && TERMINAL.has(run.status)) return run;
      await changed;
    }
  }
}
