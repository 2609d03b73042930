/** The page as a whole: the client of the present identity, the list of sessions, the one that is open. */

import { effect, signal } from "@preact/signals";
import { connect, type Client, type SessionInfo } from "../threadline/index.ts";
import { uuid7 } from "../threadline/document/ids.ts";
import { firstWords } from "./first_words.ts";
import { notifyOf } from "./notifications.ts";
import { goTo, goToList, sessionId } from "./route.ts";
import { recentSessions, rememberSession } from "./recent.ts";
import { SessionModel } from "./session_model.ts";
import { identity, type Identity } from "./settings.ts";

export const client = signal<Client | undefined>(undefined);
export const open = signal<SessionModel | undefined>(undefined);
export const opening = signal(false);
export const openError = signal<string | undefined>(undefined);
export const listed = signal<SessionInfo[] | undefined>(undefined);
export const listFailed = signal(false);
/** What the list is searched for. */
export const sought = signal("");

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

/** Leaves a session that is open, for the list. */
export async function leaveSession(id: string): Promise<void> {
  if (sessionId.peek() !== id) return;
  goToList();
  sessionId.value = undefined; // at once: the address is followed only later
  await changing;
}

let changing: Promise<unknown> = Promise.resolve();

/** Another identity gets another client; the copies of the former stay on the device. A fresh token is no other identity. */
async function become(next: Identity | undefined): Promise<void> {
  const former = client.peek();
  const same = former && next && former.user === next.name && former.device === next.device;
  if (same && !open.peek()?.session.ended) {
    await former.renew_token();
    return refreshList();
  }
  client.value = next && connect(location.origin, { token: () => identity.peek()?.token ?? "", user: next.name, device: next.device });
  listed.value = undefined;
  await former?.close();
  await refreshList();
}

/** Opens what the address names and closes what was open; one after another, whatever is clicked meanwhile. */
function show(current: Client | undefined, id: string | undefined): Promise<unknown> {
  changing = changing.then(() => change(current, id));
  return changing;
}

/** Opens the session of the address once more: what ended it may be gone. */
export function reopen(): void {
  client.peek()?.reconnect();
  void show(client.peek(), sessionId.peek());
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
    performance.mark("threadline open");
    const model = new SessionModel(session);
    open.value = model;
    model.onDispose(notifyOf(model, () => titleOf(model)));
    model.onDispose(effect(() => rememberSession(current.user, id, titleOf(model))));
    model.onDispose(effect(() => void (model.synced.value && arrived())));
  } catch (error) {
    openError.value = error instanceof Error ? error.message : String(error);
  } finally {
    opening.value = false;
  }
}

/** Everything that the server has is here. */
function arrived(): void {
  performance.mark("threadline synced");
  void refreshList();
}

/** A session's title, or the first words that were said in it. */
export function titleOf(model: SessionModel): string {
  return model.title.value || firstWords(model.line.value[0]?.message.text ?? "");
}

export interface Listed {
  id: string;
  title: string;
  at: number;
  status: string;
  /** The session that this one is a part of; empty where it stands for itself. */
  parent: string;
}

/** What the list shows: of all sessions those whose title has every word that is sought. */
export function shownSessions(): Listed[] {
  const wanted = sought.value.toLocaleLowerCase().split(/\s+/).filter(Boolean);
  return knownSessions().filter(({ title }) => wanted.every((word) => title.toLocaleLowerCase().includes(word)));
}

/** The server's sessions, and those of this device that the server's answer lacks. */
function knownSessions(): Listed[] {
  const user = client.value?.user ?? "";
  const local = new Map(recentSessions(user).map((recent) => [recent.id, recent]));
  const known = listed.value ?? [];
  const remote = known.map(({ id, title, parent, last_activity, status }) => ({
    id,
    title: title || local.get(id)?.title || "",
    parent,
    at: Date.parse(last_activity),
    status,
  }));
  const there = new Set(known.map(({ id }) => id));
  const only = [...local.values()].filter(({ id }) => !there.has(id)).map(({ id, title, at }) => ({ id, title, at, parent: "", status: "" }));
  return underParents([...remote, ...only].sort((left, right) => right.at - left.at));
}

/** Parts stand beneath what they are parts of, wherever both are there. */
function underParents(sessions: Listed[]): Listed[] {
  const left = new Map(sessions.map((session) => [session.id, session]));
  const placed: Listed[] = [];
  const place = (session: Listed): void => {
    if (!left.delete(session.id)) return;
    placed.push(session);
    for (const part of sessions) if (part.parent === session.id) place(part);
  };
  for (const session of sessions) if (!left.has(session.parent)) place(session);
  // Those that are parts of one another stand where they are.
  for (const session of left.values()) place(session);
  return placed;
}
