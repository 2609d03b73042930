/** The session's key-value state: plain JSON by key, written by difference, merged leaf by leaf. */

import type * as Y from "yjs";
import type { RootName } from "./document/schema.ts";
import { decode, decodeAt, difference, escape, replacement, type Change } from "./document/state.ts";
import { plain, toJson } from "./document/values.ts";
import type { DocumentHolder } from "./holder.ts";
import type { Json, JsonObject } from "./json.ts";

export class State {
  readonly #holder: DocumentHolder;
  readonly #root: RootName;
  readonly #prefix: string;

  /** `prefix` is where in the root map the tree lives: a pointer, or the empty string. */
  constructor(holder: DocumentHolder, root: RootName, prefix = "") {
    this.#holder = holder;
    this.#root = root;
    this.#prefix = prefix;
  }

  /** The value of a top-level key as plain JSON, a copy; `otherwise` where there is none. */
  get(key: string, otherwise: Json | undefined = undefined): Json | undefined {
    const entries = this.entries();
    const foreign = this.#prefix === "" && !key.startsWith("/") ? entries.get(key) : undefined;
    return decodeAt(entries, this.#path([key])) ?? foreign ?? otherwise;
  }

  has(key: string): boolean {
    return this.get(key) !== undefined;
  }

  keys(): string[] {
    return Object.keys(this.toJSON());
  }

  toJSON(): JsonObject {
    return decode(this.entries(), this.#prefix);
  }

  /** Writes the difference between what is stored and `value`. Throws NotSerializable. False where nothing changed. */
  set(key: string, value: unknown): boolean {
    return this.setAt([key], value);
  }

  /** Like `set`, for a value inside dicts: only the leaves beneath `path` can collide with what others write. */
  setAt(path: readonly string[], value: unknown): boolean {
    const pointer = this.#path(path);
    const change = difference(this.entries(), pointer, toJson(value, pointer));
    return this.#apply(this.#withoutForeign(change, path));
  }

  /** Writes all of `value` anew, also what is equal. Throws NotSerializable. */
  replace(key: string, value: unknown): boolean {
    const pointer = this.#path([key]);
    const change = replacement(this.entries(), pointer, toJson(value, pointer));
    return this.#apply(this.#withoutForeign(change, [key]));
  }

  /** Removes a key and everything beneath it. False where there was nothing. */
  delete(key: string): boolean {
    return this.deleteAt([key]);
  }

  deleteAt(path: readonly string[]): boolean {
    const pointer = this.#path(path);
    const beneath = [...this.#map().keys()].filter((key) => key === pointer || key.startsWith(`${pointer}/`));
    return this.#apply(this.#withoutForeign({ set: new Map(), delete: beneath }, path));
  }

  #path(path: readonly string[]): string {
    return this.#prefix + path.map((name) => `/${escape(name)}`).join("");
  }

  #map(): Y.Map<unknown> {
    return this.#holder.doc.getMap(this.#root);
  }

  /** The flat map as it is stored, by the keys of the codec. */
  entries(): Map<string, Json> {
    return new Map([...this.#map()].map(([key, value]) => [key, plain(value)]));
  }

  /** A top-level leaf that a client without the codec wrote gives way to the pointer form. */
  #withoutForeign(change: Change, path: readonly string[]): Change {
    const [key] = path;
    const stale = path.length === 1 && this.#prefix === "" && !key!.startsWith("/") && this.#map().has(key!);
    return stale ? { set: change.set, delete: [...change.delete, key!] } : change;
  }

  #apply(change: Change): boolean {
    if (change.set.size === 0 && change.delete.length === 0) return false;
    const map = this.#map();
    for (const key of [...change.delete, ...change.set.keys()]) this.#holder.assertMayWrite(this.#root, key);
    this.#holder.doc.transact(() => {
      for (const key of change.delete) map.delete(key);
      for (const [key, value] of change.set) map.set(key, value);
    }, this.#holder.origin);
    return true;
  }
}
