/** One open session as signals: read off the document at most once per frame, whatever streams in. */

import { computed, effect, signal, type ReadonlySignal, type Signal } from "@preact/signals";
import type { UndoStep } from "../threadline/index.ts";
import type { Intent, Json, JsonObject, Message, Present, RunSnapshot, Saved, Session } from "../threadline/index.ts";
import { firstWords } from "./first_words.ts";
import { Reading } from "./reading.ts";
import { lineOf, parentOf, type Choices, type Placed } from "../threadline/document/branches.ts";
import type { SendOptions } from "../threadline/index.ts";
import { AttachingFiles } from "./attaching.ts";
import type { CloseReason, Hello, Recovery } from "../threadline/index.ts";

const LATE_MS = 6_000;

export class SessionModel {
  readonly session: Session;
  readonly messages: Signal<readonly Message[]>;
  /** Which versions this device shows where there are several; empty follows the newest question. */
  readonly choices = signal<Choices>(new Map());
  /** The messages that are shown. */
  readonly line: ReadonlySignal<readonly Placed[]>;
  readonly runs: Signal<readonly RunSnapshot[]>;
  /** Requests of which the server has made no run yet. */
  readonly asked: Signal<readonly Intent[]>;
  readonly state: Signal<JsonObject>;
  readonly counters: Signal<Record<string, number>>;
  readonly title: Signal<string>;
  readonly draft: Signal<string>;
  readonly present: Signal<readonly Present[]>;
  /** What `undo` would take back. */
  readonly undoable: Signal<UndoStep | undefined>;
  readonly saved: Signal<Saved>;
  /** Changes are on their way for longer than a server needs that can store them. */
  readonly savingLate = signal(false);
  readonly synced: Signal<boolean>;
  readonly hello: Signal<Hello | undefined>;
  readonly ended: Signal<CloseReason | undefined>;
  /** Whether this person may write here now; a role may change while one is here. */
  readonly canWrite: ReadonlySignal<boolean>;
  /** What came of the last reset, until the person has seen it. */
  readonly recovery = signal<Recovery | undefined>(undefined);
  readonly resetting = signal(false);
  /** What lies over the conversation, if anything. */
  readonly drawer = signal<"timeline" | "glass" | undefined>(undefined);
  readonly reading: Reading;
  /** Files that go with the next message. */
  readonly attaching: AttachingFiles;
  /** The message of one's own that is being edited. */
  readonly editing = signal<string | undefined>(undefined);

  readonly #unsubscribe: (() => void)[];
  #frame = 0;

  constructor(session: Session) {
    this.session = session;
    this.attaching = new AttachingFiles(session);
    this.messages = signal(shownOf(session));
    this.reading = new Reading(session, this.messages);
    this.line = computed(() => lineOf(this.messages.value, this.choices.value));
    this.runs = signal(session.runs.all());
    this.asked = signal(undecided(session));
    this.state = signal(session.state.toJSON());
    this.counters = signal(session.counters.toJSON());
    this.title = signal(session.title);
    this.draft = signal(session.draft.text);
    this.present = signal(session.presence.all());
    this.undoable = signal(session.undoable);
    this.saved = signal(session.saved_word);
    this.synced = signal(session.synced);
    this.hello = signal(session.hello);
    this.ended = signal(session.ended);
    this.canWrite = computed(() => this.ended.value === undefined && this.hello.value?.role !== "viewer");
    this.#unsubscribe = [
      session.on("change", () => this.#schedule()),
      session.on("status", () => this.#readStatus()),
      session.on("presence", () => (this.present.value = session.presence.all())),
      this.reading.begin(),
      this.#watchSaving(),
    ];
  }

  /** Sends a message that follows what is shown here, also where that is not the newest line. */
  send(text: string, options: SendOptions = {}): void {
    const shown = this.line.peek().at(-1)?.message.id;
    const usual = this.choices.peek().size > 0 ? lineOf(this.messages.peek()).at(-1)?.message.id : shown;
    const parent = shown === undefined || shown === usual ? {} : { parent: shown };
    void this.session.send(text, { title: firstWords(text), ...parent, ...options });
    this.choices.value = new Map();
  }

  /** Sends another version of a question of one's own; what answers the old one makes way. */
  edit(question: string, text: string, attachments: readonly Json[] = []): void {
    const kept = attachments.length > 0 ? { attachments: [...attachments] } : {};
    this.send(text, { parent: parentOf(this.messages.peek(), question), on_busy: "interrupt", ...kept });
  }

  /** Asks for another answer to a question. */
  answerAgain(question: string): void {
    void this.session.execute({ message: question, on_busy: "interrupt" });
    const choices = new Map(this.choices.peek());
    choices.delete(question);
    this.choices.value = choices;
  }

  /** Shows the version that is `step` away from the one that is shown. */
  turn(message: string, step: number): void {
    const placed = this.line.peek().find((shown) => shown.message.id === message);
    const wanted = placed?.versions[placed.version - 1 + step];
    if (placed && wanted) this.choices.value = new Map(this.choices.peek()).set(placed.above, wanted);
  }

  /** Takes back one's own last edit; the words of a message come back to where they were written. */
  undo(): boolean {
    const step = this.session.undoable;
    const text = step?.message === undefined ? "" : (this.session.messages.get(step.message)?.text ?? "");
    if (!this.session.undo()) return false;
    if (text && this.session.draft.text === "") this.session.draft.set(text);
    return true;
  }

  /** What ends with the model. */
  onDispose(end: () => void): void {
    this.#unsubscribe.push(end);
  }

  dispose(): void {
    cancelAnimationFrame(this.#frame);
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
  }

  #watchSaving(): () => void {
    const saving = computed(() => this.saved.value.word === "saving");
    let timer: ReturnType<typeof setTimeout> | undefined;
    const end = effect(() => {
      clearTimeout(timer);
      if (saving.value) timer = setTimeout(() => (this.savingLate.value = true), LATE_MS);
      else this.savingLate.value = false;
    });
    return () => {
      clearTimeout(timer);
      end();
    };
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
    this.messages.value = shownOf(session);
    this.undoable.value = session.undoable;
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

/** All messages but those that were taken back and what answered them. */
function shownOf(session: Session): readonly Message[] {
  const [all, everything] = [session.messages.all(), session.messages.withRetracted()];
  if (all.length === everything.length) return all;
  const gone = new Set(everything.filter(({ status }) => status === "retracted").map(({ id }) => id));
  return all.filter(({ role, parent }) => role === "user" || parent === undefined || !gone.has(parent));
}

function undecided(session: Session): readonly Intent[] {
  const decided = new Set(session.runs.all().map(({ id }) => id));
  return session.intents.all().filter(({ id, kind }) => kind === "run" && !decided.has(id));
}
