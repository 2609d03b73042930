/** The transcript: messages of people, agents and the system, in the order in which the server admitted them. */

import * as Y from "yjs";
import { newEntryId } from "./document/ids.ts";
import { Root, type MessageRole, type MessageStatus } from "./document/schema.ts";
import { mappingOf, numberOf, plain, textOf, toJson } from "./document/values.ts";
import type { DocumentHolder } from "./holder.ts";
import type { Json, JsonObject } from "./json.ts";
import { Snapshots } from "./snapshots.ts";

export interface Author {
  user: string;
  device: string;
  name: string;
}

/** A place in the transcript, stamped at admission: a number, then the node as a tie-break. */
export type Seq = readonly [number: number, node: string];

/**
 * One message as it is now. `seq` is undefined while the server has not stamped it: it is still being sent.
 * Times are Unix milliseconds; `created_at` is the author's clock, `received_at` the server's.
 */
export interface Message {
  readonly id: string;
  readonly role: MessageRole;
  readonly author: Author;
  readonly created_at: number;
  readonly text: string;
  readonly status: MessageStatus;
  readonly run: string | undefined;
  readonly parent: string | undefined;
  readonly data: Json;
  readonly attachments: readonly Json[];
  readonly seq: Seq | undefined;
  readonly received_at: number | undefined;
}

export interface NewMessage {
  text: string;
  run?: string;
  parent?: string;
  data?: Json;
  attachments?: Json[];
}

const REQUIRED_KEYS = ["role", "author", "created_at", "text"];

export class Messages {
  readonly #holder: DocumentHolder;
  readonly #author: Author;
  readonly #created: (id: string) => void;
  readonly #snapshots: Snapshots<Message>;
  #everything: readonly Message[] = [];
  #shown: readonly Message[] = [];

  /** `created` hears of every message of one's own that is written anew. */
  constructor(holder: DocumentHolder, author: Author, created: (id: string) => void = () => undefined) {
    this.#holder = holder;
    this.#author = author;
    this.#created = created;
    this.#snapshots = new Snapshots(holder, Root.messages, readMessage, inTranscriptOrder);
  }

  /** Every message in transcript order: by `seq`, then those being sent, by time. Retracted ones are left out. */
  all(): readonly Message[] {
    const everything = this.withRetracted();
    if (everything !== this.#everything) {
      this.#everything = everything;
      this.#shown = everything.filter(({ status }) => status !== "retracted");
    }
    return this.#shown;
  }

  withRetracted(): readonly Message[] {
    return this.#snapshots.all();
  }

  get(id: string): Message | undefined {
    return this.#snapshots.get(id);
  }

  /** Adds a message of one's own, with its text, in one transaction; gives back its id. */
  create(message: NewMessage): string {
    const id = newEntryId(this.#author.user);
    this.restore(id, message, Math.max(Date.now(), this.#lastUnsent() + 1));
    this.#created(id);
    return id;
  }

  /** Two messages of one millisecond stay in the order in which they were written. */
  #lastUnsent(): number {
    const last = this.withRetracted().at(-1);
    return last && !last.seq ? last.created_at : 0;
  }

  /** As `create`, under a known id and time, for a replica that was reset. */
  restore(id: string, { text, ...optional }: NewMessage, createdAt: number): void {
    const { doc, origin } = this.#holder;
    const checked = toJson(text, "/text") as string;
    this.#holder.assertMayWrite(Root.messages, id);
    doc.transact(() => {
      const entry = new Y.Map<unknown>();
      this.#snapshots.map().set(id, entry);
      entry.set("role", "user");
      entry.set("author", { ...this.#author });
      entry.set("created_at", createdAt);
      entry.set("status", "complete");
      for (const [key, value] of Object.entries(optional)) {
        if (value !== undefined) entry.set(key, toJson(value, `/${key}`));
      }
      entry.set("text", new Y.Text(checked));
    }, origin);
  }

  /** Takes back a message of one's own: it stays in the document and is no longer shown. */
  retract(id: string): void {
    const entry = this.#snapshots.map().get(id);
    if (entry instanceof Y.Map) this.#holder.doc.transact(() => entry.set("status", "retracted"), this.#holder.origin);
  }
}

/** A message from its entry; undefined where that is not a message or not complete. */
export function readMessage(id: string, entry: unknown): Message | undefined {
  if (!(entry instanceof Y.Map) || REQUIRED_KEYS.some((key) => !entry.has(key))) return undefined;
  const text: unknown = entry.get("text");
  if (!(text instanceof Y.Text)) return undefined;
  const [data, attachments, received] = [entry.get("data"), plain(entry.get("attachments")), entry.get("received_at")];
  return {
    id,
    role: textOf(entry.get("role"), "user") as MessageRole,
    author: readAuthor(plain(entry.get("author"))),
    created_at: numberOf(entry.get("created_at")),
    text: text.toString(),
    status: textOf(entry.get("status"), "complete") as MessageStatus,
    run: textOf(entry.get("run")) || undefined,
    parent: textOf(entry.get("parent")) || undefined,
    data: plain(data),
    attachments: Array.isArray(attachments) ? attachments : [],
    seq: readSeq(entry.get("seq")),
    received_at: received === undefined ? undefined : numberOf(received),
  };
}

function readAuthor(value: Json): Author {
  const fields: JsonObject = mappingOf(value);
  return { user: textOf(fields["user"]), device: textOf(fields["device"]), name: textOf(fields["name"]) };
}

function readSeq(value: unknown): Seq | undefined {
  if (typeof value === "number") return [numberOf(value), ""];
  if (!Array.isArray(value) || value.length !== 2 || typeof value[0] !== "number") return undefined;
  return [numberOf(value[0]), textOf(value[1])];
}

function inTranscriptOrder(left: Message, right: Message): number {
  if (left.seq && right.seq) return left.seq[0] - right.seq[0] || compare(left.seq[1], right.seq[1]) || compare(left.id, right.id);
  if (left.seq || right.seq) return left.seq ? -1 : 1;
  return left.created_at - right.created_at || compare(left.id, right.id);
}

function compare(left: string, right: string): number {
  if (left === right) return 0;
  return left < right ? -1 : 1;
}
