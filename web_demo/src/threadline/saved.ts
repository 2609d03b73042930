/** The saved word: what a person needs to know of where their changes are. */

import type { Connection } from "./connection.ts";
import type { Replica } from "./replica.ts";

export interface Saved {
  /**
   * `saved`: everything made here is durable. `saving`: on its way. `offline`: kept here until there is a connection.
   * `failed`: the server did not take it and will not.
   */
  word: "saved" | "saving" | "offline" | "failed";
  /** Changes of the session made here that are not known to be durable; keystrokes of the draft are not counted. */
  waiting: number;
}

export function savedWord(session: Replica, companion: Replica, connection: Connection): Saved {
  const replicas = [session, companion];
  const { waiting } = session;
  if (replicas.some(({ ended }) => ended)) return { word: "failed", waiting };
  if (connection.ended) return { word: waiting > 0 ? "failed" : "offline", waiting };
  if (connection.networkDown) return { word: "offline", waiting };
  if (replicas.every(({ settled }) => settled)) return { word: "saved", waiting: 0 };
  return { word: connection.status === "online" || connection.isFirstAttempt ? "saving" : "offline", waiting };
}
