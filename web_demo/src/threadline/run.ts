/** One run as a handle: where it stands, what happens in it, and how to stop it. */

import type { Undone } from "./api.ts";
import { TERMINAL, type RunStatus } from "./document/schema.ts";
import { SessionError } from "./errors.ts";
import { project, type RunEvent } from "./events.ts";
import type { Verdict } from "./intents.ts";
import type { Approval, RunSnapshot, Step } from "./runs.ts";
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

  get is_over(): boolean {
    return TERMINAL.has(this.status);
  }

  get steps(): readonly Step[] {
    return this.snapshot?.steps ?? [];
  }

  /** Calls that wait for a person's word. */
  get pending(): readonly Approval[] {
    return this.snapshot?.approvals.filter(({ status }) => status === "pending") ?? [];
  }

  /** Asks for it to stop; any device may. */
  cancel(reason = ""): void {
    this.#session.intents.cancel(this.id, reason);
  }

  /** Takes back what it has changed, once it is over, and its answer; what others changed since stays. */
  async undo(): Promise<Undone> {
    return this.#session.undo_run(this.id);
  }

  /** Lets a waiting call go ahead, the one named or the only one. The first answer that the server admits counts. */
  approve(call?: string): void {
    this.#decide(call, "approve", "");
  }

  /** Keeps a waiting call from being made. Throws SessionError where none waits. */
  reject(call?: string, reason = ""): void {
    this.#decide(call, "reject", reason);
  }

  #decide(call: string | undefined, decision: Verdict, reason: string): void {
    const found = this.pending.filter((approval) => call === undefined || approval.call === call);
    const [approval] = found;
    if (!approval || found.length > 1) {
      throw new SessionError("session_error", `${found.length} calls wait for a word; name one.`, this.#session.id);
    }
    const { arguments_hash } = approval;
    this.#session.intents.decide({ run: this.id, call: approval.call, decision, arguments_hash, reason });
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

  /** Waits until the run has ended. */
  async wait(): Promise<RunStatus> {
    return (await this.result()).status;
  }

  /** As `wait`, with what came of it. A failed run has an `error`; nothing is thrown for it. */
  async result(): Promise<RunSnapshot & { output: string }> {
    for (;;) {
      const changed = this.#session.nextChange();
      const run = this.snapshot;
      if (run && this.is_over) return { ...run, output: this.output };
      await changed;
    }
  }
}
