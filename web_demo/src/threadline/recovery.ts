/** What becomes of a replica's own words after the server has refused its line. */

import type * as Y from "yjs";
import { ownerOf } from "./document/ids.ts";
import { CompanionRoot, Root } from "./document/schema.ts";
import { mappingOf, plain, same } from "./document/values.ts";
import { readIntent } from "./intents.ts";
import { Refused } from "./errors.ts";
import type { Json, JsonObject } from "./json.ts";
import { readMessage } from "./messages.ts";
import type { Exported, Session } from "./session.ts";

/**
 * reason:    why the replica was refused, with the path
 * replayed:  ids of messages and intents that were written again
 * refused:   those that were not, as they stood
 * kept:      state as it was in the replica that was set aside, where it differs from what there is now
 * set_aside: the whole of it
 */
export interface Recovery {
  reason: string;
  replayed: string[];
  refused: JsonObject;
  kept: JsonObject;
  set_aside: Exported;
}

/**
 * Writes into `session`, which has joined again, what `user` had made in the old documents and the server does not have,
 * and notes in `recovery` how it went. What its reason names is not written again.
 */
export function replay(old: Y.Doc, oldDraft: string, session: Session, user: string, recovery: Recovery): void {
  replayMessages(old, session, user, recovery);
  replayIntents(old, session, user, recovery);
  if (oldDraft && session.draft.text === "") session.draft.set(oldDraft);
  const now = session.state.toJSON();
  const before = Object.entries(recovery.set_aside.state);
  recovery.kept = Object.fromEntries(before.filter(([key, value]) => !(key in now) || !same(value, now[key]!)));
}

export function draftOf(companion: Y.Doc): string {
  return companion.getText(CompanionRoot.draft).toString();
}

function replayMessages(old: Y.Doc, session: Session, user: string, recovery: Recovery): void {
  for (const [id, entry] of old.getMap(Root.messages)) {
    const message = readMessage(id, entry);
    if (!message || ownerOf(id) !== user || session.messages.get(id)) continue;
    if (recovery.reason.startsWith(`messages/${id}`)) {
      recovery.refused[id] = message.text;
      continue;
    }
    const attachments = message.attachments.length > 0 ? { attachments: [...message.attachments] } : {};
    attempt(recovery, id, message.text, () => session.messages.restore(id, { text: message.text, ...attachments }, message.created_at));
  }
}

function replayIntents(old: Y.Doc, session: Session, user: string, recovery: Recovery): void {
  const known = new Set(session.intents.all().map(({ id }) => id));
  for (const [id, value] of old.getMap(Root.intents)) {
    if (ownerOf(id) !== user || known.has(id)) continue;
    if (recovery.reason.startsWith(`intents/${id}`) || !readIntent(id, value)) {
      recovery.refused[id] = plain(value);
      continue;
    }
    attempt(recovery, id, plain(value), () => session.intents.restore(id, mappingOf(plain(value))));
  }
}

/** What the rules do not allow any more is shown as it stood. */
function attempt(recovery: Recovery, id: string, stood: Json, write: () => unknown): void {
  try {
    write();
    recovery.replayed.push(id);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    recovery.refused[id] = stood;
  }
}
