/** Where in the page one is: `#/` the list, `#/s/SESSION` a session. `?session=SESSION` leads there too. */

import { signal } from "@preact/signals";
import { isName } from "../threadline/document/ids.ts";

export const sessionId = signal<string | undefined>(undefined);

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

function follow(): void {
  const [, kind, name] = location.hash.split("/");
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
