import type { JSX } from "preact";
import type { Present } from "../threadline/index.ts";
import { agentActivity } from "./agent_activity.ts";
import type { SessionModel } from "./session_model.ts";
import { words } from "./words/words.ts";

const MOST_PLACES = 2;

/** Who is here, one chip per device, and what the agent does. On a phone they have a `row` of their own. */
export function PresenceChips({ model, row = false }: { model: SessionModel; row?: boolean }): JSX.Element | null {
  const { presence } = words();
  // Without a connection nobody knows who is there.
  const others = model.saved.value.word === "offline" ? [] : model.present.value.filter(({ mine }) => !mine);
  const activity = agentActivity(model);
  if (others.length === 0 && !activity) return null;
  const shown = row ? others : others.slice(0, activity ? MOST_PLACES - 1 : MOST_PLACES);
  return (
    <ul class={row ? "chips chips-row" : "chips"} aria-label={presence.list} data-testid={row ? undefined : "presence"}>
      {activity && (
        <li class="chip agent" data-testid="agent-chip">
          <span class="dot" />
          <span class="name">{activity}</span>
        </li>
      )}
      {shown.map((present) => (
        <li class="chip" key={present.client_id}>
          <span class="dot" />
          <span class="name">{chipText(present, model.session.user)}</span>
        </li>
      ))}
      {shown.length < others.length && <li class="chip">{presence.more(others.length - shown.length)}</li>}
    </ul>
  );
}

/** "Ada on Pixel 9"; one's own other devices are "You on Pixel 9". */
function chipText({ user, name, device, state }: Present, me: string): string {
  const { app, panel, presence } = words();
  const who = presence.on(user === me ? app.you : name, device);
  return state["typing"] === true ? `${who}: ${panel.typing}` : who;
}
