/**
 * The canonical content digest: by this, replicas are compared.
 *
 * State vectors can agree while contents differ, so two replicas are equal when the SHA-256 of their canonical JSON
 * is. The form is that of RFC 8785 (keys by UTF-16 code units, numbers as JavaScript prints them), the same in Python
 * and TypeScript.
 */

import { digest as sha256 } from "lib0/hash/sha256";
import * as Y from "yjs";
import { isJsonObject, type Json } from "../json.ts";
import { Root } from "./schema.ts";
import { plain } from "./values.ts";

/** The digest of a session document: 64 hexadecimal digits. */
export function sessionDigest(doc: Y.Doc): string {
  const roots = Object.values(Root).map((name) => [name, plainContent(doc.getMap(name))] as const);
  return digest(Object.fromEntries(roots));
}

export function companionDigest(doc: Y.Doc): string {
  return digest({
    draft: doc.getText("draft").toString(),
    read: plainContent(doc.getMap("read")),
    state: plainContent(doc.getMap("state")),
  });
}

function plainContent(value: unknown): Json {
  if (value instanceof Y.Text) return value.toString();
  if (value instanceof Y.Map) return Object.fromEntries([...value].map(([key, entry]) => [key, plainContent(entry)]));
  if (value instanceof Y.Array) return value.toArray().map(plainContent);
  return plain(value);
}

export function digest(value: Json): string {
  const bytes = sha256(new TextEncoder().encode(canonical(value)));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** `value` in the canonical form. */
export function canonical(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (!isJsonObject(value)) return JSON.stringify(value);
  const entries = Object.entries(value).sort(([left], [right]) => (left < right ? -1 : 1));
  return `{${entries.map(([key, entry]) => `${JSON.stringify(key)}:${canonical(entry)}`).join(",")}}`;
}
