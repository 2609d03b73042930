/** Which elements of a stored list are which elements of a new one, so that a write touches only what changed. */

import type { Json } from "../json.ts";
import { isJsonObject } from "../json.ts";
import { same } from "./values.ts";

/** Beyond it the changed middle of a list is aligned in order, without searching. */
const MAX_TABLE_CELLS = 40_000;
const IDENTITY_KEYS = ["id", "key", "name"];

/**
 * For each of `values` the position in `stored` that it keeps or edits (ascending), or null where it is new.
 *
 * Equal elements are matched by a longest common subsequence; between two matches, an unmatched value edits the next
 * unmatched stored element that is `similar`.
 */
export function align(stored: Json[], values: Json[]): (number | null)[] {
  const head = sharedHead(stored, values);
  const tail = sharedHead(stored.slice(head).toReversed(), values.slice(head).toReversed());
  const storedEnd = stored.length - tail;
  const middle = match(stored.slice(head, storedEnd), values.slice(head, values.length - tail));
  const matched = middle.map((position) => (position === null ? null : position + head));
  pairEdits(stored, values, matched, head, storedEnd);
  return [...span(0, head), ...matched, ...span(storedEnd, stored.length)];
}

/** Whether `value` is rather an edit of `stored` than another element. */
export function similar(stored: Json, value: Json): boolean {
  if (isJsonObject(stored) && isJsonObject(value)) {
    const identity = IDENTITY_KEYS.find((key) => Object.hasOwn(stored, key) || Object.hasOwn(value, key));
    if (identity !== undefined) return sameField(stored, value, identity);
    return Object.keys(value).some((key) => sameField(stored, value, key));
  }
  return Array.isArray(stored) === Array.isArray(value) && isJsonObject(stored) === isJsonObject(value);
}

function sameField(left: { [key: string]: Json }, right: { [key: string]: Json }, key: string): boolean {
  return Object.hasOwn(left, key) && Object.hasOwn(right, key) && same(left[key]!, right[key]!);
}

function span(start: number, end: number): number[] {
  return Array.from({ length: Math.max(0, end - start) }, (_, offset) => start + offset);
}

function sharedHead(stored: Json[], values: Json[]): number {
  const most = Math.min(stored.length, values.length);
  let count = 0;
  while (count < most && same(stored[count]!, values[count]!)) count += 1;
  return count;
}

function match(stored: Json[], values: Json[]): (number | null)[] {
  const matched: (number | null)[] = values.map(() => null);
  if (stored.length * values.length > MAX_TABLE_CELLS) return matched;
  const lengths = subsequenceLengths(stored, values);
  let [i, j] = [0, 0];
  while (i < stored.length && j < values.length) {
    if (same(stored[i]!, values[j]!)) {
      matched[j] = i;
      i += 1;
      j += 1;
    } else if (lengths[i + 1]![j]! >= lengths[i]![j + 1]!) i += 1;
    else j += 1;
  }
  return matched;
}

/** Cell (i, j) is the length of the longest common subsequence of what begins at `i` and at `j`. */
function subsequenceLengths(stored: Json[], values: Json[]): number[][] {
  const table = Array.from({ length: stored.length + 1 }, () => Array.from({ length: values.length + 1 }, () => 0));
  for (let i = stored.length - 1; i >= 0; i -= 1) {
    for (let j = values.length - 1; j >= 0; j -= 1) {
      table[i]![j] = same(stored[i]!, values[j]!)
        ? table[i + 1]![j + 1]! + 1
        : Math.max(table[i + 1]![j]!, table[i]![j + 1]!);
    }
  }
  return table;
}

/** Fills in, gap by gap, which stored element an unmatched value edits. `matched` begins at position `first`. */
function pairEdits(stored: Json[], values: Json[], matched: (number | null)[], first: number, end: number): void {
  const limits: number[] = [];
  let following = end;
  for (const position of matched.toReversed()) {
    limits.unshift(following);
    following = position ?? following;
  }
  let cursor = first;
  for (const [index, position] of matched.entries()) {
    if (position !== null) {
      cursor = position + 1;
      continue;
    }
    const candidate = span(cursor, limits[index]!).find((at) => similar(stored[at]!, values[first + index]!));
    if (candidate === undefined) continue;
    matched[index] = candidate;
    cursor = candidate + 1;
  }
}
