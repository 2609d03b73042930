/**
 * Where in the page one is: `#/` the list, `#/s/SESSION` a session. `?session=SESSION` leads there too.
 *
 * `#/link/CODE` and `#/join/CODE` bring a code; it is taken out of the address at once, and so out of the history.
 */

import { signal } from "@preact/signals";
import { isName } from "../threadline/document/ids.ts";

export const sessionId = signal<string | undefined>(undefined);

/** A code that the address brought: to link this device, or to join a conversation. */
export interface Entry {
  kind: "link" | "join";
  code: string;
}

export const entry = signal<Entry | undefined>(undefined);

export function startRouting(): void {
  const asked = new URLSearchParams(location.search).get("session");
  if (asked && isName(asked) && !location.hash) {
    history.replaceState(null, "", `${location.pathname}${sessionHref(asked)}`);
  }
  addEventListener("hashchange", follow);
  follow();
}

export function sessionHref(id: string): string {
  return `#/s/${encodeURIComponent(id)}`;
}

export function goTo(id: string): void {
  location.hash = sessionHref(id);
}

export function goToList(): void {
  location.hash = "#/";
}

export function sessionUrl(id: string): string {
  return `${location.origin}${location.pathname}${sessionHref(id)}`;
}

export function entryUrl({ kind, code }: Entry): string {
  return `${location.origin}${location.pathname}#/${kind}/${encodeURIComponent(code)}`;
}

function follow(): void {
  const [, kind, name] = location.hash.split("/");
  if (kind === "link" || kind === "join") {
    entry.value = { kind, code: decode(name ?? "") };
    history.replaceState(null, "", `${location.pathname}#/`);
    return;
  }
  const id = kind === "s" && name ? decode(name) : "";
  sessionId.value = isName(id) ? id : undefined;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return "";
  }
}
