/**
 * Values on their way into a document and out of it.
 *
 * Out: whatever a foreign peer has put into a document (NaN, bytes, bigint, undefined) becomes JSON, the same in Python
 * and TypeScript.
 */

import type { Json, JsonObject } from "../json.ts";
import { isJsonObject } from "../json.ts";

export const MAX_DEPTH = 64;
const BYTES_PREFIX = "base64:";

/** A value that a document cannot hold, named by its path. */
export class NotSerializable extends TypeError {
  readonly code = "not_serializable";

  constructor(path: string, problem: string) {
    super(`${path || "/"}: ${problem}`);
  }
}

/** `value` as plain JSON, copied. Throws NotSerializable with the path of what a document cannot hold. */
export function toJson(value: unknown, path = "", depth = 0): Json {
  if (depth > MAX_DEPTH) throw new NotSerializable(path, `nested deeper than ${MAX_DEPTH} levels`);
  if (value === null || typeof value === "boolean") return value;
  if (typeof value === "string") return checkedText(value, path);
  if (typeof value === "number") return checkedNumber(value, path);
  if (Array.isArray(value)) return value.map((item, index) => toJson(item, `${path}/${index}`, depth + 1));
  if (isPlainObject(value)) {
    const entries = Object.entries(value).filter(([, entry]) => entry !== undefined);
    return Object.fromEntries(
      entries.map(([key, entry]) => [checkedText(key, path), toJson(entry, `${path}/${key}`, depth + 1)]),
    );
  }
  throw new NotSerializable(path, `a ${typeof value} cannot be stored in a session`);
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function checkedText(text: string, path: string): string {
  if (!text.isWellFormed()) throw new NotSerializable(path, "text with half of a surrogate pair");
  return text;
}

function checkedNumber(value: number, path: string): number {
  if (!Number.isFinite(value)) throw new NotSerializable(path, `${value} is not a JSON number`);
  if (Number.isInteger(value) && Math.abs(value) > Number.MAX_SAFE_INTEGER) {
    throw new NotSerializable(path, "integers past 2^53 lose digits in browsers; store it as text");
  }
  return value;
}

/** A value found in a document as JSON: never throws; NaN, infinities and shared types become null. */
export function plain(value: unknown): Json {
  if (value === null || typeof value === "boolean" || typeof value === "string") return value;
  if (typeof value === "number") return Number.isFinite(value) ? value : null;
  if (typeof value === "bigint") return Number(value);
  if (value instanceof Uint8Array) return BYTES_PREFIX + base64(value);
  if (Array.isArray(value)) return value.map(plain);
  if (isPlainObject(value)) return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, plain(entry)]));
  return null;
}

function base64(bytes: Uint8Array): string {
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}

/** Equality of JSON values; the order of an object's keys does not count. */
export function same(left: Json, right: Json): boolean {
  if (left === right) return true;
  if (Array.isArray(left)) {
    return Array.isArray(right) && left.length === right.length && left.every((item, index) => same(item, right[index]!));
  }
  if (!isJsonObject(left) || !isJsonObject(right)) return false;
  const keys = Object.keys(left);
  return (
    keys.length === Object.keys(right).length &&
    keys.every((key) => Object.hasOwn(right, key) && same(left[key]!, right[key]!))
  );
}

export function textOf(value: unknown, otherwise = ""): string {
  return typeof value === "string" ? value : otherwise;
}

export function numberOf(value: unknown, otherwise = 0): number {
  return typeof value === "number" && Number.isFinite(value) ? Math.trunc(value) : otherwise;
}

export function mappingOf(value: unknown): JsonObject {
  return isJsonObject(value) ? value : {};
}
