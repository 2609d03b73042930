/**
 * Events of a run, as a projection of the document.
 *
 * Nothing is recorded for them: the list follows from the run's steps and the text of its reply, so a device that joins
 * late gets the same list as one that watched. Every event has an id that names its place; projecting from the id of
 * the last event seen gives exactly what came after it. Texts arrive in pieces for those who watch and in one piece for
 * those who come late; a piece says at which offset of its text it stands (UTF-16 units).
 */

import { TERMINAL, type RunStatus } from "./document/schema.ts";
import type { Json } from "./json.ts";
import { durationOf, type RunSnapshot, type Step } from "./runs.ts";

interface Placed {
  /** Unique within the run; names the event's place in the list. */
  id: string;
  run: string;
}

export type RunEvent = Placed &
  (
    | { type: "session_start"; agent: string; goal: string; at: number }
    | { type: "step_start"; step_number: number; step_type: string }
    | { type: "thinking"; step_number: number; offset: number; content: string }
    | { type: "tool_call"; step_number: number; call: string; tool_name: string; arguments: Json }
    | { type: "tool_result"; step_number: number; call: string; tool_name: string; output: Json }
    | { type: "step_complete"; step_number: number; duration_ms: number | null }
    | { type: "output"; step_number: number; message: string; offset: number; content: string }
    | { type: "error"; code: string; message: string; step_number: number | null; tool_name: string }
    | { type: "done"; status: RunStatus; output: string; tokens_used: number; duration_ms: number | null }
  );

/** A place in the list: a step's position, a phase within it, an offset within its text. */
type Cursor = readonly [step: number, phase: number, offset: number];

const [START, BODY, COMPLETE] = [0, 1, 2];
const BEFORE_ALL: Cursor = [-2, 0, 0];
const STARTED: Cursor = [-1, 0, 0];
const END_STEP = Number.MAX_SAFE_INTEGER;

/** Events of `run` after the one whose id is `after`, oldest first. `reply` is the text of the message it writes. */
export function project(run: RunSnapshot, reply: string, after?: string): RunEvent[] {
  return [...events(run, reply, readCursor(after))];
}

/** The place that an event id names; the start of the list where it names none. */
function readCursor(id: string | undefined): Cursor {
  if (id === "start") return STARTED;
  if (id === "error" || id === "done") return [END_STEP, id === "error" ? 0 : 1, 0];
  const found = /^(\d+)\.([a-z_]+)(?:\.(\d+))?$/.exec(id ?? "");
  if (!found) return BEFORE_ALL;
  const phase = found[2] === "start" ? START : found[2] === "complete" ? COMPLETE : BODY;
  return [Number(found[1]) - 1, phase!, Number(found[3] ?? 0)];
}

function isBefore(left: Cursor, right: Cursor): boolean {
  return (left[0] - right[0] || left[1] - right[1] || left[2] - right[2]) < 0;
}

function* events(run: RunSnapshot, reply: string, after: Cursor): Generator<RunEvent> {
  const over = TERMINAL.has(run.status);
  if (isBefore(after, STARTED) && (run.started_at !== undefined || over)) {
    const at = run.started_at ?? run.created_at;
    yield { type: "session_start", id: "start", run: run.id, agent: run.agent, goal: run.goal, at };
  }
  for (const [index, step] of run.steps.entries()) {
    if (index < after[0]) continue;
    const closed = over || step.ended_at !== undefined || index < run.steps.length - 1;
    yield* stepEvents(run, index, step, reply, closed, after);
    if (!closed) return;
  }
  if (over) yield* lastEvents(run, reply, after);
}

function* stepEvents(
  run: RunSnapshot,
  index: number,
  step: Step,
  reply: string,
  closed: boolean,
  after: Cursor,
): Generator<RunEvent> {
  const place = { run: run.id, step_number: index + 1 };
  if (isBefore(after, [index, START!, 0])) {
    yield { type: "step_start", id: `${index + 1}.start`, ...place, step_type: step.type };
  }
  if (isBefore(after, [index, COMPLETE!, 0])) yield* bodyEvents(run, index, step, reply, after);
  if (closed && isBefore(after, [index, COMPLETE!, 0])) {
    const duration_ms = step.duration_ms ?? null;
    yield { type: "step_complete", id: `${index + 1}.complete`, ...place, duration_ms };
  }
}

function* bodyEvents(run: RunSnapshot, index: number, step: Step, reply: string, after: Cursor): Generator<RunEvent> {
  if (step.type === "output" || step.type === "thinking") return yield* textEvents(run, index, step, reply, after);
  if (!isBefore(after, [index, BODY!, 0])) return;
  const place = { id: `${index + 1}.${step.type}`, run: run.id, step_number: index + 1, tool_name: step.name };
  if (step.type === "tool_call") yield { type: "tool_call", ...place, call: step.call, arguments: step.input };
  if (step.type === "tool_result") yield { type: "tool_result", ...place, call: step.call, output: step.output };
  if (step.type === "error") {
    const { code, message } = step.error ?? { code: "error", message: "" };
    yield { type: "error", ...place, code, message };
  }
}

/** What is new of a thought or an answer; the event's id carries the offset of its end. */
function* textEvents(run: RunSnapshot, index: number, step: Step, reply: string, after: Cursor): Generator<RunEvent> {
  const output = step.type === "output";
  const [text, start] = output ? [reply, step.start] : [step.text, 0];
  const seen = after[0] === index && after[1] === BODY ? after[2] : start;
  const end = step.end ?? text.length;
  if (end <= seen) return;
  const place = { id: `${index + 1}.${step.type}.${end}`, run: run.id, step_number: index + 1, offset: seen };
  const content = text.slice(seen, end);
  if (output) yield { type: "output", ...place, message: run.message, content };
  else yield { type: "thinking", ...place, content };
}

function* lastEvents(run: RunSnapshot, reply: string, after: Cursor): Generator<RunEvent> {
  if (run.error && isBefore(after, [END_STEP, 0, 0])) {
    yield { type: "error", id: "error", run: run.id, ...run.error, step_number: null, tool_name: "" };
  }
  if (!isBefore(after, [END_STEP, 1, 0])) return;
  const tokens_used = run.usage.input_tokens + run.usage.output_tokens;
  const duration_ms = durationOf(run);
  yield { type: "done", id: "done", run: run.id, status: run.status, output: reply, tokens_used, duration_ms };
}
