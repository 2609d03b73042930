/** The golden files that Python writes and both languages read. */

import { readFileSync } from "node:fs";
import * as Y from "yjs";
import type { DocumentHolder } from "../src/threadline/holder.ts";

const PYTHON = new URL("../../client_py/threadline/", import.meta.url);

export function golden<Content>(path: string): Content {
  return JSON.parse(readFileSync(new URL(path, PYTHON), "utf-8")) as Content;
}

export function bytes(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex, "hex"));
}

export function hex(data: Uint8Array): string {
  return Buffer.from(data).toString("hex");
}

/** s0001V, s0002V, ...: what the fixtures use in place of randomness. */
export function suffixSource(first = 1): () => string {
  let number = first;
  return () => `s${String(number++).padStart(4, "0")}V`;
}

export function holderOf(doc: Y.Doc): DocumentHolder {
  return { doc, origin: "test", assertMayWrite: () => undefined };
}

export function documentOf(updateHex: string): DocumentHolder {
  const doc = new Y.Doc();
  Y.applyUpdate(doc, bytes(updateHex));
  return holderOf(doc);
}
