/** Entries of a root map as plain snapshots; one that did not change stays the same object. */

import type * as Y from "yjs";
import type { RootName } from "./document/schema.ts";
import type { DocumentHolder } from "./holder.ts";

export class Snapshots<Snapshot> {
  readonly #holder: DocumentHolder;
  readonly #root: RootName;
  readonly #read: (id: string, entry: unknown) => Snapshot | undefined;
  readonly #compare: (left: Snapshot, right: Snapshot) => number;
  readonly #known = new Map<string, Snapshot | undefined>();
  #watched: Y.Map<unknown> | undefined;
  #ordered: readonly Snapshot[] | undefined;

  /** `read` gives undefined for what is not an entry, or not a complete one. */
  constructor(
    holder: DocumentHolder,
    root: RootName,
    read: (id: string, entry: unknown) => Snapshot | undefined,
    compare: (left: Snapshot, right: Snapshot) => number,
  ) {
    this.#holder = holder;
    this.#root = root;
    this.#read = read;
    this.#compare = compare;
  }

  all(): readonly Snapshot[] {
    const map = this.map();
    this.#ordered ??= [...map.keys()]
      .map((id) => this.get(id))
      .filter((snapshot) => snapshot !== undefined)
      .sort(this.#compare);
    return this.#ordered;
  }

  get(id: string): Snapshot | undefined {
    const map = this.map();
    if (!this.#known.has(id)) this.#known.set(id, this.#read(id, map.get(id)));
    return this.#known.get(id);
  }

  /** The root map of the document of the moment. */
  map(): Y.Map<unknown> {
    const map = this.#holder.doc.getMap<unknown>(this.#root);
    if (this.#watched !== map) this.#watch(map);
    return map;
  }

  #watch(map: Y.Map<unknown>): void {
    this.#watched = map;
    this.#known.clear();
    this.#ordered = undefined;
    map.observeDeep((events) => {
      if (this.#watched !== map) return;
      this.#ordered = undefined;
      for (const event of events) this.#forget(event);
    });
  }

  #forget(event: Y.YEvent<Y.AbstractType<unknown>>): void {
    const [id] = event.path;
    if (typeof id === "string") this.#known.delete(id);
    else for (const key of event.changes.keys.keys()) this.#known.delete(key);
  }
}
