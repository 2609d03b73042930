/** The session document, schema version 1. A test checks these names against `schema.json`. */

export const SCHEMA_VERSION = 1;

export const Root = {
  meta: "meta",
  messages: "messages",
  state: "state",
  counters: "counters",
  intents: "intents",
  runs: "runs",
} as const;
export type RootName = (typeof Root)[keyof typeof Root];

export const CompanionRoot = { draft: "draft", read: "read", state: "state" } as const;

export type MessageRole = "user" | "assistant" | "system" | "tool";
export type MessageStatus = "complete" | "streaming" | "stopped" | "failed" | "retracted";

const STATUSES = [
  "queued",
  "running",
  "waiting",
  "completed",
  "failed",
  "cancelled",
  "timeout",
  "max_steps_reached",
] as const;
export type RunStatus = (typeof STATUSES)[number];
export const RUN_STATUSES: ReadonlySet<RunStatus> = new Set(STATUSES);
/** Statuses that are final. */
export const TERMINAL: ReadonlySet<RunStatus> = new Set(STATUSES.slice(3));

export const EVENT_TYPES = [
  "session_start",
  "step_start",
  "thinking",
  "tool_call",
  "tool_result",
  "step_complete",
  "output",
  "error",
  "done",
] as const;
export type EventType = (typeof EVENT_TYPES)[number];

/** What the agent does when asked while it is busy. */
export const ON_BUSY = ["enqueue", "reject", "interrupt", "rollback", "steer"] as const;
export type OnBusy = (typeof ON_BUSY)[number];
