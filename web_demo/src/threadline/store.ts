/** Where a device keeps its copies of documents, so that they open and change without a network. */

import { clearDocument, IndexeddbPersistence } from "y-indexeddb";
import type * as Y from "yjs";

/** One document's copy. `get` and `set` keep small values beside it: its lineage, how much is unsent. */
export interface LocalCopy {
  /** The origin of the transaction that loads the copy into its document. */
  readonly origin: unknown;
  get(key: string): Promise<unknown>;
  set(key: string, value: string | number): Promise<void>;
  close(): Promise<void>;
  /** Closes and removes the copy. */
  clear(): Promise<void>;
}

export interface LocalStore {
  /** Loads what is kept of `name` into `doc` and keeps every later change of it. */
  open(name: string, doc: Y.Doc): Promise<LocalCopy>;
  remove(name: string): Promise<void>;
}

/** Copies in IndexedDB (by y-indexeddb), one database per document. */
export class IndexedDbStore implements LocalStore {
  readonly #prefix: string;

  /** `scope` keeps servers and users apart: a copy holds what its user alone may read. */
  constructor(scope: string) {
    this.#prefix = `threadline:${scope}:`;
  }

  async open(name: string, doc: Y.Doc): Promise<LocalCopy> {
    await assertUsable();
    const persistence = new IndexeddbPersistence(this.#prefix + name, doc);
    await persistence.whenSynced;
    return new IndexedDbCopy(persistence);
  }

  async remove(name: string): Promise<void> {
    await clearDocument(this.#prefix + name);
  }
}

class IndexedDbCopy implements LocalCopy {
  readonly #persistence: IndexeddbPersistence;

  constructor(persistence: IndexeddbPersistence) {
    this.#persistence = persistence;
  }

  get origin(): unknown {
    return this.#persistence;
  }

  async get(key: string): Promise<unknown> {
    return this.#persistence.get(key);
  }

  async set(key: string, value: string | number): Promise<void> {
    await this.#persistence.set(key, value);
  }

  async close(): Promise<void> {
    await this.#persistence.destroy();
  }

  async clear(): Promise<void> {
    await this.#persistence.destroy();
    await clearDocument(this.#persistence.name);
  }
}

const PROBE = "threadline:probe";

/** y-indexeddb waits for ever where IndexedDB is refused (private windows, full disks); this rejects instead. */
function assertUsable(): Promise<void> {
  return new Promise((resolve, reject) => {
    if (typeof indexedDB === "undefined") return reject(new Error("This browser keeps no databases."));
    const request = indexedDB.open(PROBE);
    request.addEventListener("success", () => {
      request.result.close();
      resolve();
    });
    request.addEventListener("error", () => reject(request.error ?? new Error("IndexedDB was refused.")));
  });
}

/** No copy: what is not saved on the server is lost with the page. */
export class NoStore implements LocalStore {
  async open(): Promise<LocalCopy> {
    const values = new Map<string, string | number>();
    return {
      origin: undefined,
      get: async (key) => values.get(key),
      set: async (key, value) => void values.set(key, value),
      close: async () => undefined,
      clear: async () => undefined,
    };
  }

  async remove(): Promise<void> {}
}
