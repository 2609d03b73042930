/** What a view reads and writes: the document of the moment (a reset replaces it) and the origin of own edits. */

import type * as Y from "yjs";
import type { RootName } from "./document/schema.ts";

export interface DocumentHolder {
  readonly doc: Y.Doc;
  /** The origin under which this device's edits are made, which tells them apart for undo. */
  readonly origin: unknown;
  /** Throws Refused where the write rules do not let this device write the entry `key` of `root`. */
  assertMayWrite(root: RootName, key: string, value?: unknown): void;
}
