/** Tells of runs that end or wait for somebody while the page is not looked at, where the person has asked for it. */

import { effect } from "@preact/signals";
import type { RunSnapshot } from "../threadline/index.ts";
import type { SessionModel } from "./session_model.ts";
import { notifying } from "./settings.ts";
import { words } from "./words/words.ts";

/** Follows the runs of an open session; the function that is given back ends it. */
export function notifyOf(model: SessionModel, title: () => string): () => void {
  let known = statusesOf(model.runs.peek());
  return effect(() => {
    const runs = model.runs.value;
    for (const { id, status } of runs) {
      const before = known.get(id);
      if (before !== undefined && before !== status && isNews(status) && document.hidden) tell(model.session.id, title(), status);
    }
    known = statusesOf(runs);
  });
}

/** Asks the browser for its permission; false where the person, or the browser, said no. */
export async function askToNotify(): Promise<boolean> {
  if (typeof Notification === "undefined") return false;
  return (await Notification.requestPermission()) === "granted";
}

function statusesOf(runs: readonly RunSnapshot[]): Map<string, RunSnapshot["status"]> {
  return new Map(runs.map(({ id, status }) => [id, status]));
}

function isNews(status: RunSnapshot["status"]): boolean {
  return status !== "queued" && status !== "running" && status !== "cancelled";
}

function tell(session: string, title: string, status: RunSnapshot["status"]): void {
  if (!notifying.peek() || typeof Notification === "undefined" || Notification.permission !== "granted") return;
  const { presence, run, sessions } = words();
  const body = status === "waiting" ? presence.agentWaiting : run.statuses[status];
  try {
    const shown = new Notification(title || sessions.untitled, { body, tag: session, icon: "./icon.svg" });
    shown.addEventListener("click", () => window.focus());
  } catch {
    // Some phones let only service workers notify; there the page stays quiet.
  }
}
