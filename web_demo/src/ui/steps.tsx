import type { JSX } from "preact";
import type { Json, RunSnapshot, Step } from "../threadline/index.ts";
import { Icon } from "./icons.tsx";
import { words } from "./words/words.ts";

/** What the agent did on the way, one card per thought and tool call. The words it wrote are the message itself. */
export function Steps({ run }: { run: RunSnapshot }): JSX.Element | null {
  const results = new Map(run.steps.filter(({ type }) => type !== "tool_call").map((step) => [step.call, step]));
  const cards = run.steps.filter(({ type, call }) => type === "tool_call" || type === "thinking" || (type === "error" && !call));
  if (cards.length === 0) return null;
  return (
    <div class="steps">
      {cards.map((step) =>
        step.type === "tool_call" ? (
          <ToolCard key={step.number} step={step} result={results.get(step.call)} over={run.ended_at !== undefined} />
        ) : (
          <ThoughtCard key={step.number} step={step} />
        ),
      )}
    </div>
  );
}

interface ToolCardProps {
  step: Step;
  result: Step | undefined;
  over: boolean;
}

function ToolCard({ step, result, over }: ToolCardProps): JSX.Element {
  const { run } = words();
  const failed = result?.type === "error" || result?.error !== undefined;
  const done = result !== undefined || over;
  const took = result?.duration_ms ?? step.duration_ms;
  return (
    <details class="step" data-testid="step" data-tool={step.name}>
      <summary>
        <span class={`glyph${failed ? " bad" : done ? " good" : ""}`}>
          {done ? <Icon name={failed ? "cross" : "check"} /> : <span class="spinner" />}
        </span>
        <span class="label">
          {done ? run.tool(step.name) : run.using(step.name)}
          <span class="gist">{gist(step.input)}</span>
        </span>
        {done && took ? <span class="took">{run.took(took)}</span> : null}
        <span class="chevron">
          <Icon name="chevron" />
        </span>
      </summary>
      <div class="inside">
        <Value title={run.input} value={step.input} />
        {result && <Value title={run.output} value={result.error?.message ?? result.output} />}
      </div>
    </details>
  );
}

function ThoughtCard({ step }: { step: Step }): JSX.Element {
  const { chat } = words();
  const text = step.text || step.error?.message || "";
  return (
    <details class="step" data-testid="step">
      <summary>
        <span class={`glyph${step.error ? " bad" : ""}`}>
          <Icon name={step.error ? "warning" : "thought"} />
        </span>
        <span class="label">
          {step.error ? step.error.message : chat.thinking}
        </span>
        <span class="chevron">
          <Icon name="chevron" />
        </span>
      </summary>
      <p class="thought" dir="auto">
        {text}
      </p>
    </details>
  );
}

function Value({ title, value }: { title: string; value: Json }): JSX.Element | null {
  if (value === null) return null;
  return (
    <div>
      <h4>{title}</h4>
      <pre dir="auto">{typeof value === "string" ? value : JSON.stringify(value, null, 2)}</pre>
    </div>
  );
}

const GIST_CHARS = 60;

/** A call's arguments in a few words: the values, since the names say little. */
function gist(input: Json): string {
  if (typeof input !== "object" || input === null) return input === null ? "" : String(input);
  const values = Object.values(input).filter((value) => value !== null && typeof value !== "object");
  const text = values.join(", ");
  return text.length > GIST_CHARS ? `${text.slice(0, GIST_CHARS)}…` : text;
}
