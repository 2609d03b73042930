/**
 * A document as this device holds it: the Yjs document, its local copy, and its line to the server.
 *
 * The local copy is loaded first, then the line is attached, so the server sees one state vector and no flood.
 * Each page load writes under a new client id; edits made offline by an earlier load travel under theirs.
 */

import { HocuspocusProvider } from "@hocuspocus/provider";
import type { Awareness } from "y-protocols/awareness";
import * as Y from "yjs";
import type { Connection } from "./connection.ts";
import { Emitter } from "./emitter.ts";
import { parseReason, type CloseReason } from "./protocol/close_codes.ts";
import { encodeCredentials } from "./protocol/credentials.ts";
import { decodeNote, type Hello, type Notice } from "./protocol/notices.ts";
import type { LocalCopy, LocalStore } from "./store.ts";
import { tokenOf, type TokenSource } from "./token.ts";

export interface ReplicaOptions {
  token: TokenSource;
  device: string;
  store: LocalStore;
  /** Whether presence is shared over this document. */
  presence: boolean;
}

interface ReplicaEvents extends Record<string, unknown[]> {
  change: [Y.Transaction];
  status: [];
  hello: [Hello];
  notice: [Notice];
}

const REJOIN_DELAY_MS = 500;
const LINEAGE = "lineage";
const WAITING = "waiting";

export class Replica extends Emitter<ReplicaEvents> {
  readonly doc: Y.Doc;
  readonly name: string;
  /** What the server said on joining; undefined until it did, also in an earlier life of this page. */
  hello: Hello | undefined;
  /** Why the server ended this line; undefined while it lives or may come back. */
  ended: CloseReason | undefined;
  /** Whether all that the server has was received since the present socket opened. */
  synced = false;
  /** Changes made here that are not known to be durable, those of earlier page loads included. */
  waiting = 0;

  readonly #connection: Connection;
  readonly #options: ReplicaOptions;
  readonly #copy: LocalCopy;
  readonly #provider: HocuspocusProvider;
  readonly #subscriptions: (() => void)[] = [];
  #lineage = "";
  #rejoin: ReturnType<typeof setTimeout> | undefined;
  #destroyed = false;

  static async open(name: string, connection: Connection, options: ReplicaOptions): Promise<Replica> {
    const doc = new Y.Doc();
    const copy = await options.store.open(name, doc);
    const replica = new Replica(name, doc, connection, options, copy);
    replica.#lineage = String((await copy.get(LINEAGE)) ?? "");
    replica.waiting = Number((await copy.get(WAITING)) ?? 0);
    if (!replica.#destroyed) replica.#attach();
    return replica;
  }

  private constructor(name: string, doc: Y.Doc, connection: Connection, options: ReplicaOptions, copy: LocalCopy) {
    super();
    this.name = name;
    this.doc = doc;
    this.#connection = connection;
    this.#options = options;
    this.#copy = copy;
    this.#provider = this.#createProvider();
  }

  get awareness(): Awareness | null {
    return this.#provider.awareness;
  }

  /** Whether everything made here is durable on the server, in the sense that its hello names. */
  get settled(): boolean {
    return this.ended === undefined && this.#connection.ledger.settled(this.name);
  }

  /** Whether the document holds anything, from the local copy or the server. */
  get isEmpty(): boolean {
    return this.doc.store.clients.size === 0;
  }

  async close(): Promise<void> {
    this.#detach();
    await this.#copy.close();
    this.doc.destroy();
  }

  /** Shows the server a fresh token on the open document; a closed one shows it when it opens. */
  async renew_token(): Promise<void> {
    if (this.hello && !this.ended && this.#connection.status === "online") await this.#provider.sendToken();
  }

  /** Leaves the server and removes the local copy. The document stays readable. */
  async setAside(): Promise<void> {
    this.#detach();
    await this.#copy.clear();
  }

  #createProvider(): HocuspocusProvider {
    const { token, device, presence } = this.#options;
    const provider = new HocuspocusProvider({
      name: this.name,
      document: this.doc,
      websocketProvider: this.#connection.socket,
      token: async () => encodeCredentials({ token: await tokenOf(token), device, lineage: this.#lineage }),
      ...(presence ? {} : { awareness: null }),
      onOpen: () => clearTimeout(this.#rejoin),
      onSynced: () => this.#becomeSynced(true),
      onAuthenticated: () => this.#announce(),
      onDisconnect: () => this.#left(),
      onStateless: ({ payload }) => this.#receiveNote(payload),
      onAuthenticationFailed: ({ reason }) => this.#closed(parseReason(reason) ? reason : `unauthorized: ${reason}`),
    });
    // The provider calls `onClose` for the socket's end too; the forwarded event with 1000 is the document's own.
    provider.on("close", ({ event }: { event: { code: number; reason: string } }) => {
      if (event.code === 1000) this.#closed(event.reason);
    });
    return provider;
  }

  #attach(): void {
    const onUpdate = (_update: Uint8Array, origin: unknown): void => this.#changed(origin);
    const onTransaction = (transaction: Y.Transaction): void => {
      if (transaction.changed.size > 0) this.emit("change", transaction);
    };
    this.doc.on("update", onUpdate);
    this.doc.on("afterTransaction", onTransaction);
    this.#subscriptions.push(
      () => this.doc.off("update", onUpdate),
      () => this.doc.off("afterTransaction", onTransaction),
      this.#connection.ledger.on("refused", (address) => address === this.name && this.#refused()),
      this.#connection.ledger.on("change", (address) => address === this.name && this.#settle()),
    );
    this.#provider.attach();
  }

  #detach(): void {
    this.#destroyed = true;
    clearTimeout(this.#rejoin);
    for (const unsubscribe of this.#subscriptions.splice(0)) unsubscribe();
    if (!this.ended) this.#provider.destroy();
    this.#connection.ledger.forget(this.name);
    this.synced = false;
  }

  #changed(origin: unknown): void {
    if (origin === this.#provider || origin === this.#copy.origin) return;
    this.#count(this.waiting + 1);
  }

  #settle(): void {
    if (this.settled) this.#count(0);
    this.emit("status");
  }

  #count(waiting: number): void {
    if (this.waiting === waiting) return;
    this.waiting = waiting;
    void this.#copy.set(WAITING, waiting);
    this.emit("status");
  }

  /** Announces this device under a clock not used before: peers may have been told meanwhile that it left. */
  #announce(): void {
    const { awareness } = this;
    const state = awareness?.getLocalState();
    if (state) awareness!.setLocalState({ ...state });
  }

  #left(): void {
    this.#forgetOthers();
    this.#becomeSynced(false);
  }

  /**
   * The provider takes the others out on a disconnect but keeps their clocks, under which they would not be let in again
   * before their next renewal.
   */
  #forgetOthers(): void {
    const { awareness } = this;
    if (!awareness) return;
    for (const client of awareness.meta.keys()) {
      if (client !== awareness.clientID) awareness.meta.delete(client);
    }
  }

  #becomeSynced(synced: boolean): void {
    if (this.synced === synced) return;
    this.synced = synced;
    this.emit("status");
  }

  #receiveNote(payload: string): void {
    const note = decodeNote(payload);
    if (note?.type === "notice") this.emit("notice", note);
    if (note?.type !== "hello") return;
    this.hello = note;
    this.#lineage = note.lineage;
    void this.#copy.set(LINEAGE, note.lineage);
    this.emit("hello", note);
    this.emit("status");
  }

  /** The server closed this document, the socket lives: stop for good, or ask again after a jittered wait. */
  #closed(text: string): void {
    if (this.#destroyed) return;
    this.#connection.ledger.forget(this.name);
    this.#forgetOthers();
    this.synced = false;
    const reason = parseReason(text);
    if (reason && !reason.comesBack) this.#end(reason);
    else this.#rejoin = setTimeout(() => void this.#askAgain(), REJOIN_DELAY_MS * (1 + Math.random()));
    this.emit("status");
  }

  /** The server lets readers be: it is we who end a replica that holds what will never be taken. For others a close follows. */
  #refused(): void {
    if (this.ended || this.hello?.role !== "viewer") return;
    this.#connection.ledger.forget(this.name);
    this.synced = false;
    this.#end(parseReason("replica_rejected: you may read this session, and not write in it")!);
    this.emit("status");
  }

  #end(reason: CloseReason): void {
    this.ended = reason;
    this.#provider.destroy();
  }

  async #askAgain(): Promise<void> {
    if (this.#destroyed || this.#connection.status !== "online") return;
    await this.#provider.sendToken();
    this.#provider.startSync();
  }
}
