import type { Signal } from "@preact/signals";
import type { JSX } from "preact";
import type { OnBusy } from "../threadline/index.ts";
import { ON_BUSY } from "../threadline/document/schema.ts";
import { Icon } from "./icons.tsx";
import type { SessionModel } from "./session_model.ts";
import { words } from "./words/words.ts";

/** What waits for the agent, in order; each can be taken out again, from any device. */
export function Queue({ model }: { model: SessionModel }): JSX.Element | null {
  const { busy } = words();
  const waiting = model.runs.value.filter(({ status }) => status === "queued");
  const active = model.runs.value.some(({ status }) => status === "running" || status === "waiting");
  if (!active || waiting.length === 0) return null;
  return (
    <ol class="queue" data-testid="queue">
      {waiting.map(({ id, input, goal }, index) => (
        <li key={id}>
          <span class="place">{busy.place(index + 1)}</span>
          <span class="text" dir="auto">
            {input.text || goal}
          </span>
          {model.canWrite.value && (
            <button
              class="icon-button"
              type="button"
              data-testid="unqueue"
              aria-label={busy.drop}
              title={busy.drop}
              onClick={() => model.session.run(id).cancel()}
            >
              <Icon name="close" />
            </button>
          )}
        </li>
      ))}
    </ol>
  );
}

/** What is to happen with a message that is sent while the agent is busy. */
export function BusyPolicy({ policy }: { policy: Signal<OnBusy> }): JSX.Element {
  const { busy } = words();
  return (
    <label class="busy-policy">
      {busy.label}
      <select
        class="input"
        data-testid="on-busy"
        value={policy.value}
        onChange={(event) => (policy.value = event.currentTarget.value as OnBusy)}
      >
        {ON_BUSY.map((option) => (
          <option key={option} value={option}>
            {busy[option]}
          </option>
        ))}
      </select>
    </label>
  );
}
