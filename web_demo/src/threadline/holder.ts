/** What a view reads and writes: the document of the moment (a reset replaces it) and the origin of own edits. */

import type * as Y from "yjs";

export interface DocumentHolder {
  readonly doc: Y.Doc;
  /** The origin under which this device's edits are made, which tells them apart for undo. */
  readonly origin: unknown;
}
