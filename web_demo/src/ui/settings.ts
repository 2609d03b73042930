/** What this browser remembers of its person: who one is, with the token that shows it, appearance, language. */

import { signal } from "@preact/signals";
import { isUserName } from "../threadline/document/ids.ts";
import { guessDevice } from "./device_name.ts";
import type { Language } from "./words/words.ts";

export type Theme = "system" | "light" | "dark";

export interface Identity {
  /** The token; with `--auth none` it is the user's name. */
  token: string;
  /** The user, as the server calls them. */
  name: string;
  device: string;
  /** When the token ends, in Unix seconds; left out where it does not, or where that is not known. */
  expires_s?: number;
}

const IDENTITY = "threadline.identity";
const THEME = "threadline.theme";
const LANGUAGE = "threadline.language";
const PANEL = "threadline.panel";
const NOTIFY = "threadline.notify";

export const identity = signal<Identity | undefined>(readIdentity());
export const theme = signal<Theme>((read(THEME) as Theme | null) ?? "system");

/** Whether the person wants to hear of runs while the page is not looked at. */
export const notifying = signal(read(NOTIFY) === "yes");

export function saveNotifying(wanted: boolean): void {
  write(NOTIFY, wanted ? "yes" : "no");
  notifying.value = wanted;
}

export function saveIdentity(next: Identity): void {
  write(IDENTITY, JSON.stringify(next));
  identity.value = next;
}

/** Forgets who one is here. Copies of conversations stay on the device. */
export function signOut(): void {
  write(IDENTITY, "null");
  identity.value = undefined;
}

export function saveTheme(next: Theme): void {
  write(THEME, next);
  theme.value = next;
}

export function savedLanguage(): Language | null {
  return read(LANGUAGE) as Language | null;
}

export function saveLanguage(next: Language): void {
  write(LANGUAGE, next);
}

export function panelWasOpen(): boolean {
  return read(PANEL) !== "closed";
}

export function savePanel(open: boolean): void {
  write(PANEL, open ? "open" : "closed");
}

function readIdentity(): Identity | undefined {
  try {
    const stored = JSON.parse(read(IDENTITY) ?? "null") as Partial<Identity> | null;
    if (!stored || typeof stored.name !== "string" || !isUserName(stored.name)) return undefined;
    const { name, expires_s } = stored;
    const found = { token: stored.token || name, name, device: stored.device || guessDevice() };
    return typeof expires_s === "number" ? { ...found, expires_s } : found;
  } catch {
    return undefined;
  }
}

/** Storage may be refused (private windows); then nothing is remembered. */
function read(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

function write(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
  } catch {
    // The setting holds for this page only.
  }
}
