/**
 * The flat state codec: a tree of JSON values as entries of one map, so that concurrent writes merge leaf by leaf.
 *
 * Keys are JSON Pointers (RFC 6901) of leaves, with three additions:
 *
 * - a segment `*<order key>` is a list element; a dict key that itself begins with `*` is written `~2`;
 * - every dict and list that was written has a marker entry, `<path>/~{` or `<path>/~[`, with the value `true`;
 * - `/<key>/~@` holds the Unix time in milliseconds at which a top-level key expires.
 *
 * Reading: a container (a marker, or for a dict any child) beats a scalar at the same path; a list marker beats a dict
 * marker; a list element is gone with its scalar or marker, whatever a concurrent edit has left beneath it. A key that
 * does not begin with `/` is a top-level leaf as a foreign client may write it; the pointer form wins over it.
 *
 * Writing is by difference: leaves that are equal are not touched, and lists are aligned with what is stored.
 */

import type { Json, JsonObject } from "../json.ts";
import { isJsonObject } from "../json.ts";
import { align } from "./alignment.ts";
import { isOrderKey, keysBetween, randomSuffix, type Suffix } from "./order_key.ts";
import { same } from "./values.ts";

const DICT_MARK = "~{";
const LIST_MARK = "~[";
export const EXPIRY_MARK = "~@";
const ELEMENT = "*";

export type Entries = ReadonlyMap<string, Json>;

/** What a write does to the flat map: entries to set and keys to delete. */
export interface Change {
  set: Map<string, Json>;
  delete: string[];
}

interface Node {
  leaf: Json | undefined;
  marks: Set<string>;
  children: Map<string, Node>;
  elements: Map<string, Node>;
}

/** A dict key as a segment of a path. */
export function escape(name: string): string {
  const escaped = name.replaceAll("~", "~0").replaceAll("/", "~1");
  return escaped.startsWith(ELEMENT) ? `~2${escaped.slice(1)}` : escaped;
}

/** The dict key that a segment stands for, or null where the segment is not one. */
export function unescape(segment: string): string | null {
  const body = segment.startsWith("~2") ? ELEMENT + segment.slice(2) : segment;
  if (body.replaceAll("~0", "").replaceAll("~1", "").includes("~")) return null;
  return body.replaceAll("~1", "/").replaceAll("~0", "~");
}

/** The tree beneath `prefix` as plain JSON, keys in order of their text. */
export function decode(entries: Entries, prefix = ""): JsonObject {
  return dictOf(build(entries, prefix));
}

/** The value at the pointer `path`; undefined where there is none. */
export function decodeAt(entries: Entries, path: string): Json | undefined {
  const node = build(entries, path);
  return isLive(node) ? valueOf(node) : undefined;
}

/** How to make the value at `path` (a pointer) be `value`. Entries elsewhere are ignored. */
export function difference(entries: Entries, path: string, value: Json, suffix: Suffix = randomSuffix): Change {
  const target = new Map<string, Json>();
  layOut(build(entries, path), path, value, target, suffix);
  const set = [...target].filter(([key, leaf]) => !entries.has(key) || !same(entries.get(key)!, leaf));
  return { set: new Map(set), delete: beneath(entries, path, target) };
}

/** Like `difference`, but everything is written anew, list elements under new order keys. */
export function replacement(entries: Entries, path: string, value: Json, suffix: Suffix = randomSuffix): Change {
  const target = new Map<string, Json>();
  layOut(undefined, path, value, target, suffix);
  return { set: target, delete: beneath(entries, path, target) };
}

function beneath(entries: Entries, path: string, target: Map<string, Json>): string[] {
  return [...entries.keys()].filter((key) => isBeneath(key, path) && !target.has(key));
}

function isBeneath(key: string, path: string): boolean {
  return key === path || key.startsWith(`${path}/`);
}

function newNode(): Node {
  return { leaf: undefined, marks: new Set(), children: new Map(), elements: new Map() };
}

function childOf(nodes: Map<string, Node>, name: string): Node {
  const known = nodes.get(name);
  if (known) return known;
  const node = newNode();
  nodes.set(name, node);
  return node;
}

function build(entries: Entries, prefix: string): Node {
  const root = newNode();
  for (const [key, value] of entries) {
    if (isBeneath(key, prefix) && !(prefix === "" && key === "")) {
      place(root, key.slice(prefix.length).split("/").slice(1), value);
    }
  }
  if (prefix === "") placeForeign(root, entries);
  return root;
}

/** Top-level leaves that a client without this codec has written. */
function placeForeign(root: Node, entries: Entries): void {
  for (const [key, value] of entries) {
    if (key.startsWith("/")) continue;
    const node = childOf(root.children, key);
    if (node.leaf === undefined) node.leaf = value;
  }
}

function place(root: Node, segments: string[], value: Json): void {
  let node = root;
  for (const [depth, segment] of segments.entries()) {
    if (segment.startsWith("~") && !/^~[012]/.test(segment)) {
      const isMark = segment === DICT_MARK || segment === LIST_MARK;
      if (isMark && depth === segments.length - 1) node.marks.add(segment);
      return;
    }
    if (segment.startsWith(ELEMENT)) {
      if (!isOrderKey(segment.slice(1))) return;
      node = childOf(node.elements, segment.slice(1));
      continue;
    }
    const name = unescape(segment);
    if (name === null) return;
    node = childOf(node.children, name);
  }
  node.leaf = value;
}

function isLive(node: Node): boolean {
  return isLiveElement(node) || isContainer(node);
}

function isLiveElement(node: Node): boolean {
  return node.leaf !== undefined || node.marks.size > 0;
}

function isContainer(node: Node): boolean {
  if (node.marks.size > 0) return true;
  return [...node.children.values()].some(isLive) || [...node.elements.values()].some(isLiveElement);
}

function isList(node: Node): boolean {
  if (node.marks.size > 0) return node.marks.has(LIST_MARK);
  return [...node.elements.values()].some(isLiveElement);
}

function valueOf(node: Node): Json {
  return isContainer(node) ? containerOf(node) : (node.leaf ?? null);
}

function elementOf(node: Node): Json {
  return node.marks.size > 0 ? containerOf(node) : (node.leaf ?? null);
}

function containerOf(node: Node): Json {
  return isList(node) ? listOf(node).map(([, value]) => value) : dictOf(node);
}

function dictOf(node: Node): JsonObject {
  const live = [...node.children].filter(([, child]) => isLive(child)).sort(byKey);
  return Object.fromEntries(live.map(([name, child]) => [name, valueOf(child)]));
}

function listOf(node: Node): [key: string, value: Json][] {
  const live = [...node.elements].filter(([, child]) => isLiveElement(child)).sort(byKey);
  return live.map(([key, child]) => [key, elementOf(child)]);
}

function byKey([left]: [string, unknown], [right]: [string, unknown]): number {
  return left < right ? -1 : 1;
}

function layOut(node: Node | undefined, path: string, value: Json, target: Map<string, Json>, suffix: Suffix): void {
  if (Array.isArray(value)) {
    target.set(`${path}/${LIST_MARK}`, true);
    const stored = node && isList(node) ? listOf(node) : [];
    const keys = elementKeys(stored, value, suffix);
    for (const [index, key] of keys.entries()) {
      layOut(node?.elements.get(key), `${path}/${ELEMENT}${key}`, value[index]!, target, suffix);
    }
  } else if (isJsonObject(value)) {
    if (path) target.set(`${path}/${DICT_MARK}`, true);
    for (const [name, item] of Object.entries(value)) {
      layOut(node?.children.get(name), `${path}/${escape(name)}`, item, target, suffix);
    }
  } else {
    target.set(path, value);
  }
}

/** An order key for each of `values`: those that are kept or edited keep the one they have. */
function elementKeys(stored: [string, Json][], values: Json[], suffix: Suffix): string[] {
  const aligned = align(
    stored.map(([, value]) => value),
    values,
  );
  const keys: string[] = [];
  let missing = 0;
  for (const position of [...aligned, stored.length]) {
    if (position === null) {
      missing += 1;
      continue;
    }
    const here = stored[position]?.[0] ?? null;
    keys.push(...keysBetween(keys.at(-1) ?? null, here, missing, suffix));
    missing = 0;
    if (here !== null) keys.push(here);
  }
  return keys;
}
