/** One open session as signals: read off the document at most once per frame, whatever streams in. */

import { signal, type Signal } from "@preact/signals";
import type { Intent, JsonObject, Message, Present, RunSnapshot, Saved, Session } from "../threadline/index.ts";
import type { CloseReason, Hello, Recovery } from "../threadline/index.ts";

export class SessionModel {
  readonly session: Session;
  readonly messages: Signal<readonly Message[]>;
  readonly runs: Signal<readonly RunSnapshot[]>;
  /** Requests of which the server has made no run yet. */
  readonly asked: Signal<readonly Intent[]>;
  readonly state: Signal<JsonObject>;
  readonly counters: Signal<Record<string, number>>;
  readonly title: Signal<string>;
  readonly draft: Signal<string>;
  readonly present: Signal<readonly Present[]>;
  readonly saved: Signal<Saved>;
  readonly synced: Signal<boolean>;
  readonly hello: Signal<Hello | undefined>;
  readonly ended: Signal<CloseReason | undefined>;
  /** What came of the last reset, until the person has seen it. */
  readonly recovery = signal<Recovery | undefined>(undefined);
  readonly resetting = signal(false);

  readonly #unsubscribe: (() => void)[];
  #frame = 0;

  constructor(session: Session) {
    this.session = session;
    this.messages = signal(session.messages.all());
    this.runs = signal(session.runs.all());
    this.asked = signal(undecided(session));
    this.state = signal(session.state.toJSON());
    this.counters = signal(session.counters.toJSON());
    this.title = signal(session.title);
    this.draft = signal(session.draft.text);
    this.present = signal(session.presence.all());
    this.saved = signal(session.saved_word);
    this.synced = signal(session.synced);
    this.hello = signal(session.hello);
    this.ended = signal(session.ended);
    this.#unsubscribe = [
      session.on("change", () => this.#schedule()),
      session.on("status", () => this.#readStatus()),
      session.on("presence", () => (this.present.value = session.presence.all())),
    ];
  }

  /** What ends with the model. */
  onDispose(end: () => void): void {
    this.#unsubscribe.push(end);
  }

  dispose(): void {
    cancelAnimationFrame(this.#frame);
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
  }

  async reset(): Promise<void> {
    this.resetting.value = true;
    try {
      this.recovery.value = await this.session.reset_replica();
    } finally {
      this.resetting.value = false;
      this.#read();
      this.#readStatus();
    }
  }

  /** A hidden page gets no frames; it reads at once, so that what is announced and tested is never old. */
  #schedule(): void {
    if (document.hidden) return this.#read();
    if (this.#frame) return;
    this.#frame = requestAnimationFrame(() => this.#read());
  }

  #read(): void {
    this.#frame = 0;
    const { session } = this;
    this.messages.value = session.messages.all();
    this.runs.value = session.runs.all();
    this.asked.value = undecided(session);
    this.title.value = session.title;
    this.draft.value = session.draft.text;
    keep(this.state, session.state.toJSON());
    keep(this.counters, session.counters.toJSON());
    this.#readStatus();
  }

  #readStatus(): void {
    const { session } = this;
    keep(this.saved, session.saved_word);
    this.synced.value = session.synced;
    this.hello.value = session.hello;
    this.ended.value = session.ended;
  }
}

/** Sets a signal only where the value differs, so that nothing is drawn for nothing. */
function keep<Value>(target: Signal<Value>, value: Value): void {
  if (JSON.stringify(target.value) !== JSON.stringify(value)) target.value = value;
}

function undecided(session: Session): readonly Intent[] {
  const decided = new Set(session.runs.all().map(({ id }) => id));
  return session.intents.all().filter(({ id, kind }) => kind === "run" && !decided.has(id));
}
