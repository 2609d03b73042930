/** The agent's runs as the document has them: who asked for what, its steps, what it waits for, how it ended. */

import * as Y from "yjs";
import { Root, RUN_STATUSES, TERMINAL, type RunStatus } from "./document/schema.ts";
import { mappingOf, numberOf, plain, textOf } from "./document/values.ts";
import type { DocumentHolder } from "./holder.ts";
import type { Json } from "./json.ts";
import { Snapshots } from "./snapshots.ts";

export type StepType = "thinking" | "tool_call" | "tool_result" | "output" | "error";

export interface RunError {
  code: string;
  message: string;
}

/** `start` and `end` are positions in the reply's text, in UTF-16 units, of what an output step wrote. */
export interface Step {
  readonly number: number;
  readonly type: StepType;
  readonly at: number;
  readonly attempt: number;
  readonly call: string;
  readonly name: string;
  readonly input: Json;
  readonly output: Json;
  readonly text: string;
  readonly start: number;
  readonly end: number | undefined;
  readonly error: RunError | undefined;
  readonly ended_at: number | undefined;
  readonly duration_ms: number | undefined;
}

export type ApprovalStatus = "pending" | "approved" | "rejected" | "expired";

/** A call that waits, or waited, for a person's word. */
export interface Approval {
  readonly call: string;
  readonly tool: string;
  readonly arguments: Json;
  readonly arguments_hash: string;
  readonly description: string;
  readonly asked_at: number;
  readonly status: ApprovalStatus;
  readonly decided_by: { user: string; device: string } | undefined;
  readonly reason: string;
}

/** Tokens used, and where the numbers come from: `reported` by the model, `exact`, or an `estimate`. */
export interface Usage {
  readonly input_tokens: number;
  readonly output_tokens: number;
  readonly source: string;
  /** What they cost; null where the price of the model is not known. */
  readonly cost_usd: number | null;
}

/** A run as it is now. Its id is the id of the intent that asked for it; times are Unix milliseconds. */
export interface RunSnapshot {
  readonly id: string;
  readonly number: number;
  readonly status: RunStatus;
  readonly agent: string;
  readonly goal: string;
  /** The message that the run answers, and its text when it was asked. */
  readonly input: { message: string; text: string };
  /** The id of the message that the run writes; empty until there is one. */
  readonly message: string;
  readonly steps: readonly Step[];
  readonly approvals: readonly Approval[];
  readonly usage: Usage;
  /** 0 until a worker takes the run. */
  readonly attempt: number;
  readonly requested_by: { user: string; device: string };
  readonly stopped_by: { user: string; device: string } | undefined;
  readonly waiting_for: string;
  readonly created_at: number;
  readonly started_at: number | undefined;
  readonly ended_at: number | undefined;
  readonly error: RunError | undefined;
}

/** All runs of a session, in the order in which they were asked for. */
export class Runs {
  readonly #snapshots: Snapshots<RunSnapshot>;

  constructor(holder: DocumentHolder) {
    this.#snapshots = new Snapshots(holder, Root.runs, readRun, inOrder);
  }

  all(): readonly RunSnapshot[] {
    return this.#snapshots.all();
  }

  get(id: string): RunSnapshot | undefined {
    return this.#snapshots.get(id);
  }

  get latest(): RunSnapshot | undefined {
    return this.all().at(-1);
  }

  get unfinished(): RunSnapshot[] {
    return this.all().filter(({ status }) => !TERMINAL.has(status));
  }

  /** The run that is running or waiting, if there is one. */
  get active(): RunSnapshot | undefined {
    return this.unfinished.find(({ status }) => status !== "queued");
  }
}

export function readRun(id: string, entry: unknown): RunSnapshot | undefined {
  if (!(entry instanceof Y.Map) || !entry.has("number") || !entry.has("status")) return undefined;
  const [steps, approvals] = [entry.get("steps"), entry.get("approvals")];
  if (!(steps instanceof Y.Array) || !(approvals instanceof Y.Map)) return undefined;
  const field = (name: string): Json => plain(entry.get(name));
  return {
    id,
    number: numberOf(field("number")),
    status: readStatus(field("status")),
    agent: textOf(field("agent")),
    goal: textOf(field("goal")),
    input: readInput(field("input")),
    message: textOf(field("message")),
    steps: steps.toArray().flatMap((step, index) => (step instanceof Y.Map ? [readStep(step, index + 1)] : [])),
    approvals: [...approvals].map(([call, value]) => readApproval(call, plain(value))).sort(asAsked),
    usage: readUsage(field("usage")),
    attempt: numberOf(field("attempt")),
    requested_by: readWho(field("requested_by")) ?? { user: "", device: "" },
    stopped_by: readWho(field("stopped_by")),
    waiting_for: textOf(field("waiting_for")),
    created_at: numberOf(field("created_at")),
    started_at: timeOf(field("started_at")),
    ended_at: timeOf(field("ended_at")),
    error: readError(field("error")),
  };
}

function inOrder(left: RunSnapshot, right: RunSnapshot): number {
  return left.number - right.number || (left.id < right.id ? -1 : 1);
}

/** A status that this version does not know counts as the end. */
function readStatus(value: Json): RunStatus {
  return RUN_STATUSES.has(value as RunStatus) ? (value as RunStatus) : "failed";
}

function readInput(value: Json): { message: string; text: string } {
  const fields = mappingOf(value);
  return { message: textOf(fields["message"]), text: textOf(fields["text"]) };
}

function readUsage(value: Json): Usage {
  const fields = mappingOf(value);
  return {
    input_tokens: numberOf(fields["input_tokens"]),
    output_tokens: numberOf(fields["output_tokens"]),
    source: textOf(fields["source"], "estimate"),
    cost_usd: typeof fields["cost_usd"] === "number" ? fields["cost_usd"] : null,
  };
}

/** From start to end in milliseconds; null while the run goes on or where it never started. */
export function durationOf({ started_at, ended_at }: RunSnapshot): number | null {
  return started_at === undefined || ended_at === undefined ? null : Math.max(0, ended_at - started_at);
}

function readStep(step: Y.Map<unknown>, number: number): Step {
  const field = (name: string): Json => plain(step.get(name));
  const text = step.get("text");
  return {
    number,
    type: textOf(field("type")) as StepType,
    at: numberOf(field("at")),
    attempt: numberOf(field("attempt"), 1),
    call: textOf(field("call")),
    name: textOf(field("name")),
    input: field("input"),
    output: field("output"),
    text: text instanceof Y.Text ? text.toString() : "",
    start: numberOf(field("start")),
    end: timeOf(field("end")),
    error: readError(field("error")),
    ended_at: timeOf(field("ended_at")),
    duration_ms: timeOf(field("duration_ms")),
  };
}

function readApproval(call: string, value: Json): Approval {
  const fields = mappingOf(value);
  return {
    call,
    tool: textOf(fields["tool"]),
    arguments: fields["arguments"] ?? null,
    arguments_hash: textOf(fields["arguments_hash"]),
    description: textOf(fields["description"]),
    asked_at: numberOf(fields["asked_at"]),
    status: textOf(fields["status"], "pending") as ApprovalStatus,
    decided_by: readWho(fields["decided_by"] ?? null),
    reason: textOf(fields["reason"]),
  };
}

function asAsked(left: Approval, right: Approval): number {
  return left.asked_at - right.asked_at || (left.call < right.call ? -1 : 1);
}

function readWho(value: Json): { user: string; device: string } | undefined {
  const fields = mappingOf(value);
  return fields["user"] ? { user: textOf(fields["user"]), device: textOf(fields["device"]) } : undefined;
}

function readError(value: Json): RunError | undefined {
  const fields = mappingOf(value);
  return Object.keys(fields).length === 0 ? undefined : { code: textOf(fields["code"]), message: textOf(fields["message"]) };
}

function timeOf(value: Json): number | undefined {
  return typeof value === "number" ? value : undefined;
}
