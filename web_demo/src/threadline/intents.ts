/** What devices ask for. An intent is one JSON value, written once, so it is there complete or not at all. */

import { newEntryId, ownerOf } from "./document/ids.ts";
import { Root, type OnBusy } from "./document/schema.ts";
import { mappingOf, plain, toJson } from "./document/values.ts";
import type { DocumentHolder } from "./holder.ts";
import type { Json, JsonObject } from "./json.ts";
import { Snapshots } from "./snapshots.ts";

export type Verdict = "approve" | "reject";

/** What a run may be given; what is left out is the agent's own. */
export interface RunRequest {
  message?: string;
  agent?: string;
  goal?: string;
  context?: Json;
  limits?: JsonObject;
  on_busy?: OnBusy;
  tools?: string[];
  model?: string;
  system?: string;
}

export interface ApprovalRequest {
  run: string;
  call: string;
  decision: Verdict;
  /** Of the arguments that were shown: the decision holds for no others. */
  arguments_hash?: string;
  reason?: string;
}

export type IntentKind = "run" | "cancel" | "approval" | "title";

export interface Intent {
  id: string;
  user: string;
  kind: IntentKind;
  device: string;
  at: number;
  fields: JsonObject;
}

export class Intents {
  readonly #holder: DocumentHolder;
  readonly #who: { user: string; device: string };
  readonly #snapshots: Snapshots<Intent>;

  constructor(holder: DocumentHolder, who: { user: string; device: string }) {
    this.#holder = holder;
    this.#who = who;
    this.#snapshots = new Snapshots(holder, Root.intents, readIntent, (left, right) => left.at - right.at);
  }

  /** Asks for a run. The id given back is the run's too. */
  run(request: RunRequest): string {
    return this.#add("run", { ...request });
  }

  cancel(run: string, reason = ""): string {
    return this.#add("cancel", { run, reason });
  }

  decide(request: ApprovalRequest): string {
    return this.#add("approval", { arguments_hash: "", reason: "", ...request });
  }

  title(title: string): string {
    return this.#add("title", { title });
  }

  /** Every intent, by the clock of its device. */
  all(): readonly Intent[] {
    return this.#snapshots.all();
  }

  /** Writes an intent under an id of its own once more, for a replica that was reset. */
  restore(id: string, value: JsonObject): void {
    this.#holder.assertMayWrite(Root.intents, id);
    this.#holder.doc.transact(() => this.#snapshots.map().set(id, value), this.#holder.origin);
  }

  #add(kind: IntentKind, fields: Record<string, unknown>): string {
    const id = newEntryId(this.#who.user);
    const given = Object.entries(fields).filter(([, value]) => value !== undefined);
    const value = { kind, device: this.#who.device, at: Date.now(), ...Object.fromEntries(given) };
    this.restore(id, toJson(value, `/${kind}`) as JsonObject);
    return id;
  }
}

const KINDS: ReadonlySet<string> = new Set<IntentKind>(["run", "cancel", "approval", "title"]);

/** An intent from its JSON value; undefined where it is not one that this version knows. */
export function readIntent(id: string, value: unknown): Intent | undefined {
  const fields = mappingOf(plain(value));
  const { kind, device, at } = fields;
  if (typeof kind !== "string" || !KINDS.has(kind)) return undefined;
  return {
    id,
    user: ownerOf(id),
    kind: kind as IntentKind,
    device: typeof device === "string" ? device : "",
    at: typeof at === "number" ? at : 0,
    fields,
  };
}
