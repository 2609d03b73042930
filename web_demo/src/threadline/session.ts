/**
 * One session on this device: its transcript, state, runs, draft and presence, live and offline alike.
 *
 * Everything is read from and written to the local replica at once; the server hears of it when it can.
 */

import type * as Y from "yjs";
import type { Sessions, Undone } from "./api.ts";
import type { Attachment } from "./attachments.ts";
import type { Connection } from "./connection.ts";
import { Counters } from "./counters.ts";
import { sessionDigest } from "./document/digest.ts";
import { COMPANION_OF_ME } from "./document/ids.ts";
import { refusal } from "./document/rules.ts";
import { Root, type RootName } from "./document/schema.ts";
import { textOf } from "./document/values.ts";
import { Draft } from "./draft.ts";
import { Emitter } from "./emitter.ts";
import { Refused, SessionError } from "./errors.ts";
import type { DocumentHolder } from "./holder.ts";
import { Intents, type RunRequest } from "./intents.ts";
import type { JsonObject } from "./json.ts";
import { Messages, type Message, type NewMessage } from "./messages.ts";
import { Presence } from "./presence.ts";
import type { CloseReason } from "./protocol/close_codes.ts";
import type { Hello, Notice } from "./protocol/notices.ts";
import { ReadMarkers } from "./read_markers.ts";
import { draftOf, replay, type Recovery } from "./recovery.ts";
import { Replica, type ReplicaOptions } from "./replica.ts";
import { Run } from "./run.ts";
import { Runs } from "./runs.ts";
import { savedWord, type Saved } from "./saved.ts";
import { State } from "./state.ts";
import { UndoStack, type UndoStep } from "./undo.ts";

export interface SessionOptions extends Omit<ReplicaOptions, "presence"> {
  user: string;
  name: string;
  sessions: Sessions;
}

export interface SendOptions extends Omit<NewMessage, "text">, Omit<RunRequest, "message"> {
  /** What the session is called from now on, where it has no title and this user owns it. */
  title?: string;
}

/** Everything a device has of a session, as JSON. */
export interface Exported {
  session_id: string;
  title: string;
  messages: readonly Message[];
  state: JsonObject;
  counters: Record<string, number>;
  draft: string;
}

interface SessionEvents extends Record<string, unknown[]> {
  /** Something in the session's or the companion's document changed. */
  change: [];
  /** The saved word, the connection, the role or the end may have changed. */
  status: [];
  presence: [];
  notice: [Notice];
}

export class Session extends Emitter<SessionEvents> {
  readonly id: string;
  readonly messages: Messages;
  readonly state: State;
  readonly counters: Counters;
  readonly runs: Runs;
  readonly intents: Intents;
  readonly draft: Draft;
  readonly read: ReadMarkers;
  readonly presence: Presence;

  readonly #connection: Connection;
  readonly #options: SessionOptions;
  readonly #origin = { threadline: "session" };
  readonly #companionOrigin = { threadline: "companion" };
  #replica: Replica;
  #companion: Replica;
  #undo: UndoStack;
  #subscriptions: (() => void)[] = [];
  #waiters = new Set<{ resolve: () => void; reject: (error: Error) => void }>();
  #closed = false;

  /** Opens the local copies; the server is joined in the background. */
  static async open(id: string, connection: Connection, options: SessionOptions): Promise<Session> {
    const [replica, companion] = await Promise.all([
      Replica.open(id, connection, { ...options, presence: true }),
      Replica.open(id + COMPANION_OF_ME, connection, { ...options, presence: false }),
    ]);
    return new Session(id, connection, options, replica, companion);
  }

  private constructor(id: string, connection: Connection, options: SessionOptions, replica: Replica, companion: Replica) {
    super();
    this.id = id;
    this.#connection = connection;
    this.#options = options;
    this.#replica = replica;
    this.#companion = companion;
    const { user, device, name } = options;
    const shared = this.#holder(() => this.#replica, this.#origin, (root, key, value) => this.#assertMayWrite(root, key, value));
    this.messages = new Messages(shared, { user, device, name }, (id) => this.#remember(id));
    this.state = new State(shared, Root.state);
    this.counters = new Counters(shared, (takeBack) => this.#undo.remember({ takeBack }));
    this.runs = new Runs(shared);
    this.intents = new Intents(shared, { user, device });
    const mine = this.#holder(() => this.#companion, this.#companionOrigin, () => undefined);
    this.draft = new Draft(mine);
    this.read = new ReadMarkers(mine, options.device);
    this.presence = new Presence(() => this.#replica.awareness);
    this.#undo = this.#observe();
  }

  /** The Yjs document beneath the views. What no view would write, the server may refuse. */
  get document(): Y.Doc {
    return this.#replica.doc;
  }

  get user(): string {
    return this.#options.user;
  }

  get device(): string {
    return this.#options.device;
  }

  get title(): string {
    return textOf(this.#replica.doc.getMap(Root.meta).get("title"));
  }

  /** What the server said on joining; undefined before. */
  get hello(): Hello | undefined {
    return this.#replica.hello;
  }

  /** Whether this device may write, as far as it knows. */
  get canWrite(): boolean {
    return this.ended === undefined && this.hello?.role !== "viewer";
  }

  get is_saved(): boolean {
    return this.saved_word.word === "saved";
  }

  /** Changes of the session made here that are not known to be durable. */
  get waiting(): number {
    return this.saved_word.waiting;
  }

  /** The run that is at work or waits for somebody, if there is one. */
  get active_run(): Run | undefined {
    const active = this.runs.active;
    return active && new Run(this, active.id);
  }

  get saved_word(): Saved {
    return savedWord(this.#replica, this.#companion, this.#connection);
  }

  /** Whether all that the server has was received on the present connection. */
  get synced(): boolean {
    return this.#replica.synced;
  }

  /** Nothing is here yet, neither from the local copy nor from the server. */
  get isEmpty(): boolean {
    return this.#replica.isEmpty;
  }

  /** For `Client.renew_token`. */
  async renew_token(): Promise<void> {
    await Promise.all([this.#replica.renew_token(), this.#companion.renew_token()]);
  }

  /** Why the server ended this session for this device; undefined while it goes on. */
  get ended(): CloseReason | undefined {
    return this.#replica.ended ?? this.#companion.ended ?? this.#connection.ended;
  }

  /** Adds a message and asks the agent to answer it; works offline too. A draft that said the same is cleared. */
  async send(text: string, options: SendOptions = {}): Promise<Run> {
    this.#assertOpen();
    const { run, parent, data, attachments, title, ...request } = options;
    const message = compact<Omit<NewMessage, "text">>({ run, parent, data, attachments });
    let id = "";
    this.#replica.doc.transact(() => {
      id = this.intents.run({ ...request, message: this.messages.create({ text, ...message }) });
      // Only an owner who was told so: whoever takes itself for one may be wrong, and a refusal ends the replica.
      if (title && !this.title && this.hello?.role === "owner") this.title = title;
    }, this.#origin);
    if (this.draft.text.trim() === text.trim()) this.draft.sent();
    return new Run(this, id);
  }

  /** Asks for a run without a message, toward a goal. */
  async execute(request: RunRequest): Promise<Run> {
    this.#assertOpen();
    return new Run(this, this.intents.run(request));
  }

  run(id: string): Run {
    return new Run(this, id);
  }

  /** Takes back what a run that is over has changed, and its answer. Needs a connection. */
  async undo_run(id: string): Promise<Undone> {
    return this.#options.sessions.undo(this.id, id);
  }

  /** Keeps a small file with this session, for `send(text, { attachments: [...] })`. Needs a connection. */
  async attach(name: string, data: Blob, type = ""): Promise<Attachment> {
    return this.#options.sessions.attach(this.id, name, data, type);
  }

  /** The content of a file that a message names. */
  async attachment(id: string): Promise<Blob> {
    return this.#options.sessions.attachment(this.id, id);
  }

  /** Stops what the agent is doing, and what waits for it. */
  stop(reason = ""): void {
    for (const run of this.runs.unfinished) this.intents.cancel(run.id, reason);
  }

  /** Gives the session another title: an owner writes it, others ask for it. */
  set title(title: string) {
    const meta = this.#replica.doc.getMap(Root.meta);
    this.#assertMayWrite(Root.intents, "title", title);
    if (this.hello?.role === "owner") this.#replica.doc.transact(() => meta.set("title", title), this.#origin);
    else this.intents.title(title);
  }

  /** Takes back the last edit that was made on this page; what others did since stays. False where there is none. */
  undo(): boolean {
    return this.#undo.undo() !== undefined;
  }

  /** What `undo` would take back; undefined for nothing. */
  get undoable(): UndoStep | undefined {
    return this.#undo.last;
  }

  /** Waits until everything made here is durable. Throws SessionError when the server will not take it. */
  async saved(): Promise<void> {
    for (;;) {
      const changed = this.nextChange();
      if (this.is_saved) return;
      if (this.ended) throw SessionError.fromClose(this.ended, this.id);
      await changed;
    }
  }

  /** Waits until all that the server has is here. Throws SessionError when the server refuses this device. */
  async joined(): Promise<void> {
    for (;;) {
      const changed = this.nextChange();
      if (this.synced && this.#companion.synced) return;
      if (this.ended) throw SessionError.fromClose(this.ended, this.id);
      await changed;
    }
  }

  /** By this, replicas are compared: equal contents have equal digests. */
  digest(): string {
    return sessionDigest(this.#replica.doc);
  }

  /** Everything this device has of the session, as JSON. */
  export(): Exported {
    const { id, title, draft, counters, state, messages } = this;
    return {
      session_id: id,
      title,
      messages: messages.all(),
      state: state.toJSON(),
      counters: counters.toJSON(),
      draft: draft.text,
    };
  }

  /**
   * Sets this replica aside and joins again, empty, under a new client id; sends once more what the server never
   * admitted of one's own messages, requests and draft. Tells how that went, and has the rest.
   */
  async reset_replica(): Promise<Recovery> {
    const [old, oldCompanion] = [this.#replica, this.#companion];
    const reason = this.ended?.name === "replica_rejected" ? this.ended.detail : "";
    const recovery: Recovery = { reason, replayed: [], refused: {}, kept: {}, set_aside: this.export() };
    await Promise.all([old.setAside(), oldCompanion.setAside()]);
    this.#unobserve();
    const options = this.#options;
    this.#replica = await Replica.open(this.id, this.#connection, { ...options, presence: true });
    this.#companion = await Replica.open(this.id + COMPANION_OF_ME, this.#connection, { ...options, presence: false });
    this.#undo = this.#observe();
    this.#connection.connect();
    await this.joined();
    this.#replica.doc.transact(() => replay(old.doc, draftOf(oldCompanion.doc), this, options.user, recovery), this.#origin);
    return recovery;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#unobserve();
    await Promise.all([this.#replica.close(), this.#companion.close()]);
    const error = new SessionError("session_closed", "The session was closed on this device.", this.id);
    for (const waiter of this.#waiters) waiter.reject(error);
    this.#waiters.clear();
    this.forgetListeners();
  }

  /** Resolves at the next change of document or status; rejects when the session is closed. */
  nextChange(): Promise<void> {
    const change = new Promise<void>((resolve, reject) => this.#waiters.add({ resolve, reject }));
    change.catch(() => undefined);
    return change;
  }

  #holder(replica: () => Replica, origin: unknown, assertMayWrite: DocumentHolder["assertMayWrite"]): DocumentHolder {
    return {
      get doc() {
        return replica().doc;
      },
      origin,
      assertMayWrite,
    };
  }

  /** Before the server has said otherwise, a device takes itself for the owner: offline it may be creating the session. */
  #assertMayWrite(root: RootName, key: string, value?: unknown): void {
    const reason = refusal(this.hello?.role ?? "owner", root, key, value);
    if (reason !== undefined) throw new Refused(`${root}/${key}`, reason);
  }

  /** A message that is taken back asks for no answer any more. */
  #remember(message: string): void {
    const takeBack = (): boolean => {
      const found = this.messages.get(message);
      if (!found || found.status === "retracted") return false;
      this.#replica.doc.transact(() => {
        this.messages.retract(message);
        for (const run of this.#runsFor(message)) this.intents.cancel(run, "taken back");
      }, this.#origin);
      return true;
    };
    this.#undo.remember({ message, takeBack });
  }

  /** Runs under way, and requests that are not decided, that answer a message. */
  #runsFor(message: string): string[] {
    const asked = this.intents.all().filter(({ kind, fields }) => kind === "run" && fields["message"] === message);
    const running = this.runs.unfinished.filter(({ input }) => input.message === message);
    return [...new Set([...asked, ...running].map(({ id }) => id))];
  }

  #observe(): UndoStack {
    const { user, device, name } = this.#options;
    const [replica, companion, awareness] = [this.#replica, this.#companion, this.#replica.awareness];
    this.presence.set({ user, device, name });
    const onPresence = (): void => this.emit("presence");
    awareness?.on("change", onPresence);
    this.#subscriptions = [
      replica.on("change", () => this.#changed("change")),
      companion.on("change", () => this.#changed("change")),
      replica.on("status", () => this.#changed("status")),
      companion.on("status", () => this.#changed("status")),
      replica.on("notice", (notice) => this.emit("notice", notice)),
      this.#connection.on("status", () => this.#changed("status")),
      () => awareness?.off("change", onPresence),
    ];
    return new UndoStack(replica.doc.getMap(Root.state), this.#origin, () => this.emit("change"));
  }

  #unobserve(): void {
    for (const unsubscribe of this.#subscriptions.splice(0)) unsubscribe();
    this.#undo.destroy();
  }

  #changed(event: "change" | "status"): void {
    const waiters = [...this.#waiters];
    this.#waiters.clear();
    for (const waiter of waiters) waiter.resolve();
    this.emit(event);
  }

  #assertOpen(): void {
    if (this.#closed) throw new SessionError("session_closed", "The session was closed on this device.", this.id);
    if (this.ended) throw SessionError.fromClose(this.ended, this.id);
  }
}

/** `fields` without those that are undefined. */
function compact<Fields extends object>(fields: { [Key in keyof Fields]: Fields[Key] | undefined }): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Fields;
}

