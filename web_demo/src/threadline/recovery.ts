/** What becomes of a replica's own words after the server has refused its line. */

import type * as Y from "yjs";
import { ownerOf } from "./document/ids.ts";
import { CompanionRoot, Root } from "./document/schema.ts";
import { mappingOf, plain } from "./document/values.ts";
import { readIntent } from "./intents.ts";
import type { Json } from "./json.ts";
import { readMessage } from "./messages.ts";
import type { Session } from "./session.ts";

/** Something of one's own that was not sent again, with where it stood. */
export interface LeftOver {
  path: string;
  value: Json;
}

/**
 * Writes into `session`, which has joined again, what `user` had made in the old documents and the server does not have.
 * `refused` is the server's word on what it refused: entries it names are left over, so is state that differs.
 */
export function replay(old: Y.Doc, oldCompanion: Y.Doc, session: Session, user: string, refused: string): LeftOver[] {
  const left: LeftOver[] = [];
  const wasRefused = (path: string): boolean => refused.startsWith(path);
  for (const [id, entry] of old.getMap(Root.messages)) {
    const message = readMessage(id, entry);
    if (!message || ownerOf(id) !== user || session.messages.get(id)) continue;
    if (wasRefused(`messages/${id}`)) left.push({ path: `messages/${id}`, value: message.text });
    else session.messages.restore(id, { text: message.text }, message.created_at);
  }
  const known = new Set(session.intents.all().map(({ id }) => id));
  for (const [id, value] of old.getMap(Root.intents)) {
    if (ownerOf(id) !== user || known.has(id)) continue;
    const path = `intents/${id}`;
    if (wasRefused(path) || !readIntent(id, value)) left.push({ path, value: plain(value) });
    else session.intents.restore(id, mappingOf(plain(value)));
  }
  const draft = oldCompanion.getText(CompanionRoot.draft).toString();
  if (draft && session.draft.text === "") session.draft.set(draft);
  return [...left, ...differentState(old, session)];
}

/** Leaves of the old state that the server does not have: it cannot be told whether they are newer. */
function differentState(old: Y.Doc, session: Session): LeftOver[] {
  const now = session.state.entries();
  return [...old.getMap(Root.state)]
    .filter(([key, value]) => JSON.stringify(plain(value)) !== JSON.stringify(now.get(key)))
    .map(([key, value]) => ({ path: `state${key}`, value: plain(value) }));
}
