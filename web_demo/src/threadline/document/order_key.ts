/**
 * Order keys: where an element stands in a list whose elements are entries of a map.
 *
 * A key is a base-62 number `<integer><fraction>`, compared as plain ASCII text. The integer's first character states
 * its length (`a` has one digit, `b` two, ...; `Z` one digit below zero, `Y` two, ...); the fraction makes room between
 * two neighbours. Figma's fractional indexing in the form of rocicorp/fractional-indexing, with one addition: every
 * key ends in a random suffix, so two devices that insert at the same place while apart get different keys.
 */

export const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const SUFFIX_CHARS = 6;
const FIRST_INTEGER = "a0";
const KEY = /^[A-Za-z][0-9A-Za-z]*[1-9A-Za-z]$/;

export type Suffix = () => string;

/** Six random digits; the last is not zero, so there is always room before a key. */
export function randomSuffix(): string {
  const numbers = [...crypto.getRandomValues(new Uint32Array(SUFFIX_CHARS))];
  const last = 1 + (numbers.pop()! % (DIGITS.length - 1));
  return numbers.map((number) => DIGITS[number % DIGITS.length]).join("") + DIGITS[last]!;
}

/** Whether `text` can stand in a list: an integer, then a fraction that does not end in zero. */
export function isOrderKey(text: string): boolean {
  return KEY.test(text) && text.length > integerLength(text);
}

/** A new key after `low` (null: the start) and before `high` (null: the end). Throws where they are out of order. */
export function keyBetween(low: string | null, high: string | null, suffix: Suffix = randomSuffix): string {
  for (const key of [low, high]) {
    if (key !== null && !isOrderKey(key)) throw new Error(`"${key}" is not an order key.`);
  }
  if (low !== null && high !== null && low >= high) throw new Error(`"${low}" is not before "${high}".`);
  return stemBetween(low, high) + suffix();
}

/** `count` new keys in order, each after the one before it. */
export function keysBetween(low: string | null, high: string | null, count: number, suffix: Suffix = randomSuffix): string[] {
  const keys: string[] = [];
  let previous = low;
  for (let made = 0; made < count; made += 1) {
    previous = keyBetween(previous, high, suffix);
    keys.push(previous);
  }
  return keys;
}

function stemBetween(low: string | null, high: string | null): string {
  if (low === null) return high === null ? FIRST_INTEGER : stemBefore(high);
  const [integer, fraction] = split(low);
  if (high === null) return increment(integer) ?? integer + midpoint(fraction, null);
  const [highInteger, highFraction] = split(high);
  if (integer === highInteger) return integer + midpoint(fraction, highFraction);
  const following = increment(integer);
  if (following !== null && following < highInteger) return following;
  return integer + midpoint(fraction, null);
}

function stemBefore(high: string): string {
  const [integer, fraction] = split(high);
  return decrement(integer) ?? integer + midpoint("", fraction);
}

function split(key: string): [integer: string, fraction: string] {
  const length = integerLength(key);
  return [key.slice(0, length), key.slice(length)];
}

function integerLength(key: string): number {
  const head = key.charCodeAt(0);
  return head >= 97 ? head - 97 + 2 : 90 - head + 2;
}

/** The integer after this one, or null after the last of all. */
function increment(integer: string): string | null {
  const [head, digits] = [integer[0]!, integer.slice(1)];
  const kept = digits.replace(/z+$/, "");
  if (kept) return head + stepLast(kept, 1) + "0".repeat(digits.length - kept.length);
  if (head === "Z") return "a0";
  if (head === "z") return null;
  return shifted(head, 1) + "0".repeat(digits.length + (head >= "a" ? 1 : -1));
}

/** The integer before this one, or null before the first of all. */
function decrement(integer: string): string | null {
  const [head, digits] = [integer[0]!, integer.slice(1)];
  const kept = digits.replace(/0+$/, "");
  if (kept) return head + stepLast(kept, -1) + "z".repeat(digits.length - kept.length);
  if (head === "a") return "Zz";
  if (head === "A") return null;
  return shifted(head, -1) + "z".repeat(digits.length + (head > "a" ? -1 : 1));
}

function stepLast(digits: string, by: number): string {
  return digits.slice(0, -1) + DIGITS[DIGITS.indexOf(digits.at(-1)!) + by]!;
}

function shifted(character: string, by: number): string {
  return String.fromCharCode(character.charCodeAt(0) + by);
}

/** A fraction after `low` and before `high` that is no prefix of `high`, so that any suffix keeps it before. */
function midpoint(low: string, high: string | null): string {
  if (high !== null) {
    let shared = 0;
    while ((low[shared] ?? "0") === high[shared]) shared += 1;
    if (shared) return high.slice(0, shared) + midpoint(low.slice(shared), high.slice(shared));
  }
  const first = low ? DIGITS.indexOf(low[0]!) : 0;
  const last = high === null ? DIGITS.length : DIGITS.indexOf(high[0]!);
  if (last - first > 1) return DIGITS[Math.floor((first + last) / 2)]!;
  return DIGITS[first]! + midpoint(low.slice(1), null);
}
