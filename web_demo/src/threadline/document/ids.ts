/**
 * What a session, a user and a device-created entry may be called.
 *
 * Entries that devices create carry their owner, `<user>/<uuid7>`: nobody else may create under that key.
 */

export const AGENT_PREFIX = "agent:";
export const SERVER_USER = "server:";
export const COMPANION_OF_ME = "~me";

const NAME = /^[A-Za-z0-9._:@-]{1,128}$/;

export function isName(text: string): boolean {
  return NAME.test(text);
}

/** True for a name that a person may have: names of agents and of the server are reserved. */
export function isUserName(text: string): boolean {
  return isName(text) && !text.startsWith(AGENT_PREFIX) && !text.startsWith(SERVER_USER);
}

/** A time-ordered UUID, version 7 of RFC 9562, in its canonical text form. */
export function uuid7(nowMs: number = Date.now()): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  for (let index = 0; index < 6; index += 1) bytes[index] = Math.floor(nowMs / 2 ** (8 * (5 - index))) & 0xff;
  bytes[6] = (bytes[6]! & 0x0f) | 0x70;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

export function newEntryId(user: string): string {
  return `${user}/${uuid7()}`;
}

/** The user an entry id belongs to; the empty string where the id carries none. */
export function ownerOf(entryId: string): string {
  const slash = entryId.lastIndexOf("/");
  return slash < 0 ? "" : entryId.slice(0, slash);
}
