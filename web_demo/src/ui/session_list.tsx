import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { agentActivity } from "./agent_activity.ts";
import { createSession, listFailed, open, shownSessions, sought, titleOf, type Listed } from "./app_model.ts";
import { Icon } from "./icons.tsx";
import { later } from "./later.tsx";
import { goTo, sessionHref, sessionId } from "./route.ts";
import { SettingsDialog } from "./settings_dialog.tsx";
import { identity } from "./settings.ts";
import { language, words } from "./words/words.ts";

const SessionDialog = later(() => import("./session_dialog.tsx"));

export function SessionList(): JSX.Element {
  const { sessions } = words();
  const shown = shownSessions();
  return (
    <nav class="sidebar" aria-label={sessions.title}>
      <Brand />
      <button class="button primary new" data-testid="new-session" type="button" onClick={createSession}>
        <Icon name="plus" />
        {sessions.create}
      </button>
      <Search />
      {listFailed.value && <p class="list-note">{sessions.offline}</p>}
      <ul class="session-list" data-testid="session-list">
        {shown.length === 0 && (
          <li class="empty">{sought.value ? sessions.nothingFound : `${sessions.empty} ${sessions.emptyText}`}</li>
        )}
        {shown.map((listed) => (
          <Entry key={listed.id} listed={listed} />
        ))}
      </ul>
      <Me />
    </nav>
  );
}

/** The page's heading while no conversation has one. */
function Brand(): JSX.Element {
  const Name = open.value ? "div" : "h1";
  return (
    <Name class="brand">
      <img src="./icon.svg" alt="" />
      {words().app.name}
    </Name>
  );
}

function Entry({ listed }: { listed: Listed }): JSX.Element {
  const { presence, sessions } = words();
  const managing = useSignal(false);
  const current = sessionId.value === listed.id;
  const model = current && open.value?.session.id === listed.id ? open.value : undefined;
  const told: Record<string, string> = { running: sessions.running, waiting: presence.agentWaiting };
  const activity = model ? agentActivity(model) : told[listed.status];
  const live = model ? titleOf(model) : "";
  const title = live || listed.title || sessions.untitled;
  return (
    <li class={listed.parent ? "part" : undefined}>
      <a href={sessionHref(listed.id)} aria-current={current ? "page" : undefined} data-testid="session-link">
        <span class="title" dir="auto">
          {title}
        </span>
        <time class="when" dateTime={new Date(listed.at).toISOString()}>
          {whenText(listed.at)}
        </time>
        {activity && <span class="about">{activity}</span>}
      </a>
      <button
        class="icon-button more"
        type="button"
        data-testid="session-options"
        aria-label={sessions.options(title)}
        aria-haspopup="dialog"
        onClick={() => (managing.value = true)}
      >
        <Icon name="more" />
      </button>
      {managing.value && <SessionDialog id={listed.id} title={title} onClose={() => (managing.value = false)} />}
    </li>
  );
}

/** Escape shows all again, Enter opens the first that was found. */
function searchKey(event: KeyboardEvent): void {
  if (event.key === "Escape") sought.value = "";
  if (event.key !== "Enter") return;
  const [first] = shownSessions();
  if (first) goTo(first.id);
}

function Search(): JSX.Element {
  const { sessions } = words();
  return (
    <input
      class="input search"
      id="search"
      type="search"
      data-testid="search"
      aria-label={sessions.search}
      placeholder={sessions.search}
      value={sought}
      onInput={(event) => (sought.value = event.currentTarget.value)}
      onKeyDown={searchKey}
    />
  );
}

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

/** When something was, as briefly as one can say it: the time of today, else the day. */
export function whenText(at: number, now: number = Date.now()): string {
  const { sessions } = words();
  if (now - at < MINUTE_MS) return sessions.now;
  const date = new Date(at);
  const midnight = new Date(now).setHours(0, 0, 0, 0);
  if (at >= midnight) return date.toLocaleTimeString(language.value, { hour: "2-digit", minute: "2-digit" });
  if (at >= midnight - DAY_MS) return sessions.yesterday;
  return date.toLocaleDateString(language.value, { day: "numeric", month: "short" });
}

function Me(): JSX.Element | null {
  const { settings } = words();
  const editing = useSignal(false);
  const me = identity.value;
  if (!me) return null;
  return (
    <>
      <button class="me" type="button" data-testid="settings" onClick={() => (editing.value = true)} aria-haspopup="dialog">
        <span class="avatar" aria-hidden="true">
          {me.name.slice(0, 2)}
        </span>
        <span class="names">
          <span>{me.name}</span>
          <small>{me.device}</small>
        </span>
        <span class="sr-only">{settings.title}</span>
      </button>
      {editing.value && <SettingsDialog me={me} onClose={() => (editing.value = false)} />}
    </>
  );
}
