/**
 * The write rules as far as this client could break them: it asks before it writes, because a refused change ends a
 * replica's line. The whole table, which the server judges by, is `threadline/document/rules.py`; a test compares.
 */

import type { Role } from "../protocol/notices.ts";
import { AGENT_PREFIX } from "./ids.ts";
import { Root, type RootName } from "./schema.ts";
import { unescape } from "./state.ts";

export const MAX_KEY_CHARS = 512;
export const MAX_TITLE_CHARS = 200;

/** Why a device in `role` may not write the entry `key` of `root`; undefined where it may. */
export function refusal(role: Role, root: RootName, key: string, value?: unknown): string | undefined {
  if (role === "viewer") return "viewers of this session can read it, not change it";
  const isKeyed = root === Root.state || root === Root.counters;
  if (isKeyed && key.length > MAX_KEY_CHARS) return `a key has at most ${MAX_KEY_CHARS} characters`;
  if (root === Root.state && topLevelOf(key)?.startsWith(AGENT_PREFIX)) {
    return "state under agent: is written by the agent alone";
  }
  if (root === Root.meta && role === "editor") return "this is not written by the role editor";
  if (key === "title" && typeof value === "string" && value.length > MAX_TITLE_CHARS) {
    return `title is a text of at most ${MAX_TITLE_CHARS} characters`;
  }
  return undefined;
}

/** The top-level key that an entry of the state belongs to; null where the entry is not of the codec. */
function topLevelOf(key: string): string | null {
  return key.startsWith("/") ? unescape(key.slice(1).split("/")[0]!) : key;
}
