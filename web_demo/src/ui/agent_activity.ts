/** What the agent is doing, in a few words, as the runs tell it. */

import type { SessionModel } from "./session_model.ts";
import { words } from "./words/words.ts";

export function agentActivity(model: SessionModel): string | undefined {
  const { presence } = words();
  const run = model.runs.value.find(({ status }) => status === "running" || status === "waiting");
  if (!run) return undefined;
  if (run.status === "waiting") return presence.agentWaiting;
  const step = run.steps.at(-1);
  if (step?.type === "tool_call") return presence.agentUsing(step.name);
  return step?.type === "output" ? presence.agentWriting : presence.agentThinking;
}
