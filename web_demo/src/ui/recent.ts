/** Sessions that were opened on this device, so that the list is there without a network. */

import { signal } from "@preact/signals";

export interface Recent {
  id: string;
  title: string;
  at: number;
}

const MOST = 200;
const version = signal(0);

/** Newest first; a component that asks is drawn again when it changes. */
export function recentSessions(user: string): Recent[] {
  return version.value >= 0 ? read(user) : [];
}

function read(user: string): Recent[] {
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(keyOf(user)) ?? "[]");
    return Array.isArray(stored) ? (stored as Recent[]) : [];
  } catch {
    return [];
  }
}

export function rememberSession(user: string, id: string, title: string): void {
  const others = read(user).filter((recent) => recent.id !== id);
  const former = read(user).find((recent) => recent.id === id);
  if (former && former.title === title) return;
  write(user, [{ id, title, at: former?.at ?? Date.now() }, ...others].slice(0, MOST));
}

export function forgetSession(user: string, id: string): void {
  write(
    user,
    recentSessions(user).filter((recent) => recent.id !== id),
  );
}

function write(user: string, recents: Recent[]): void {
  try {
    localStorage.setItem(keyOf(user), JSON.stringify(recents));
  } catch {
    return;
  }
  version.value = version.peek() + 1;
}

function keyOf(user: string): string {
  return `threadline.recent.${user}`;
}
