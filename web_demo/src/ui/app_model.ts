/** The page as a whole: the client of the present identity, the list of sessions, the one that is open. */

import { effect, signal } from "@preact/signals";
import { connect, type Client, type SessionInfo } from "../threadline/index.ts";
import { uuid7 } from "../threadline/document/ids.ts";
import { goTo, sessionId } from "./route.ts";
import { recentSessions, rememberSession } from "./recent.ts";
import { SessionModel } from "./session_model.ts";
import { identity, type Identity } from "./settings.ts";

export const client = signal<Client | undefined>(undefined);
export const open = signal<SessionModel | undefined>(undefined);
export const opening = signal(false);
export const openError = signal<string | undefined>(undefined);
export const listed = signal<SessionInfo[] | undefined>(undefined);
export const listFailed = signal(false);

const REFRESH_MS = 15_000;

export function startApp(): void {
  effect(() => void become(identity.value));
  effect(() => void show(client.value, sessionId.value));
  addEventListener("online", () => client.peek()?.network(true));
  addEventListener("offline", () => client.peek()?.network(false));
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) void refreshList();
  });
  setInterval(() => !document.hidden && void refreshList(), REFRESH_MS);
}

export function createSession(): void {
  goTo(uuid7());
}

/** Asks the server for the list; without one, what this device has opened is shown. */
export async function refreshList(): Promise<void> {
  const current = client.peek();
  if (!current) return;
  try {
    const { sessions } = await current.sessions.list({ limit: 100 });
    listed.value = sessions;
    listFailed.value = false;
  } catch {
    listFailed.value = true;
  }
}

let changing: Promise<unknown> = Promise.resolve();

/** Another identity gets another client; the copies of the former stay on the device. */
async function become(next: Identity | undefined): Promise<void> {
  const former = client.peek();
  client.value = next && connect(location.origin, { ...next, user: next.name });
  listed.value = undefined;
  await former?.close();
  await refreshList();
}

/** Opens what the address names and closes what was open; one after another, whatever is clicked meanwhile. */
function show(current: Client | undefined, id: string | undefined): Promise<unknown> {
  changing = changing.then(() => change(current, id));
  return changing;
}

async function change(current: Client | undefined, id: string | undefined): Promise<void> {
  const former = open.peek();
  if (former) {
    open.value = undefined;
    former.dispose();
    await current?.close_session(former.session);
  }
  openError.value = undefined;
  if (!current || !id || id !== sessionId.peek()) return;
  opening.value = true;
  try {
    const session = await current.open(id);
    const model = new SessionModel(session);
    open.value = model;
    effect(() => rememberSession(current.user, id, titleOf(model)));
    effect(() => void (model.synced.value && refreshList()));
  } catch (error) {
    openError.value = error instanceof Error ? error.message : String(error);
  } finally {
    opening.value = false;
  }
}

/** A session's title, or the first words that were said in it. */
export function titleOf(model: SessionModel): string {
  return model.title.value || firstWords(model.messages.value[0]?.text ?? "");
}

const TITLE_CHARS = 60;

function firstWords(text: string): string {
  const line = text.trim().split("\n")[0] ?? "";
  return line.length > TITLE_CHARS ? `${line.slice(0, TITLE_CHARS).trimEnd()}…` : line;
}

export interface Listed {
  id: string;
  title: string;
  at: number;
  status: string;
}

/** What the list shows: the server's sessions, and those of this device that the server's answer lacks. */
export function shownSessions(): Listed[] {
  const user = client.value?.user ?? "";
  const local = new Map(recentSessions(user).map((recent) => [recent.id, recent]));
  const known = listed.value ?? [];
  const remote = known.map(({ id, title, last_activity, status }) => ({
    id,
    title: title || local.get(id)?.title || "",
    at: Date.parse(last_activity),
    status,
  }));
  const there = new Set(known.map(({ id }) => id));
  const only = [...local.values()].filter(({ id }) => !there.has(id)).map(({ id, title, at }) => ({ id, title, at, status: "" }));
  return [...remote, ...only].sort((left, right) => right.at - left.at);
}
