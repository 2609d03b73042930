/**
 * Why the server ends a document or a socket, and what the client does next.
 *
 * 44xx: stop, and tell the person why. 45xx, 1012 and 1013: come back after a jittered wait. The reason, in a close
 * frame and in Hocuspocus' messages, is `name: detail`. A test keeps this table equal to `close_codes.json`.
 */

export interface CloseCode {
  code: number;
  name: string;
  comesBack: boolean;
  sentence: string;
}

export const CLOSE_CODES = [
  { code: 1000, name: "normal", comesBack: false, sentence: "The conversation was left on purpose; nothing to do." },
  { code: 1012, name: "restarting", comesBack: true, sentence: "The server restarts; come back after a short random wait." },
  { code: 1013, name: "overloaded", comesBack: true, sentence: "The server has no room right now; come back after a short random wait." },
  { code: 4400, name: "malformed", comesBack: false, sentence: "A message could not be read; update or fix the client before it connects again." },
  { code: 4401, name: "unauthorized", comesBack: false, sentence: "The token is missing, wrong or expired; sign in again." },
  { code: 4403, name: "forbidden", comesBack: false, sentence: "You may not do this in this session; ask its owner for access." },
  { code: 4404, name: "session_not_found", comesBack: false, sentence: "There is no such session; check the name." },
  { code: 4409, name: "replica_rejected", comesBack: false, sentence: "A change was refused for good; set this replica aside and join again with a new one." },
  { code: 4410, name: "session_deleted", comesBack: false, sentence: "The session was deleted; keep your copy or export it." },
  { code: 4412, name: "lineage_mismatch", comesBack: false, sentence: "This copy is of another session that had the same name; import it instead of joining." },
  { code: 4413, name: "too_large", comesBack: false, sentence: "A message is larger than the limit; send less at once." },
  { code: 4422, name: "invalid_name", comesBack: false, sentence: "The name of the session is not allowed; use 1 to 128 of A-Z a-z 0-9 . _ : @ -" },
  { code: 4423, name: "quarantined", comesBack: false, sentence: "The session's data cannot be read safely; ask the operator to repair it." },
  { code: 4427, name: "quota_exceeded", comesBack: false, sentence: "The session or the user has reached a quota; delete something first." },
  { code: 4429, name: "too_fast", comesBack: false, sentence: "Messages kept coming faster than the limit; slow down before connecting again." },
  { code: 4430, name: "too_many_documents", comesBack: false, sentence: "This socket has too many documents; close some, or open another socket." },
  { code: 4431, name: "not_authenticated", comesBack: false, sentence: "Too much was sent before a token; send the token first." },
  { code: 4500, name: "internal_error", comesBack: true, sentence: "The server failed at this; come back after a short random wait." },
  { code: 4503, name: "store_unavailable", comesBack: true, sentence: "The store cannot be reached; come back after a short random wait, nothing is lost." },
  { code: 4505, name: "too_slow", comesBack: true, sentence: "Messages were not read for too long; come back and catch up." },
  { code: 4507, name: "authentication_timeout", comesBack: true, sentence: "No token arrived in time; come back and send it." },
  { code: 4508, name: "idle_timeout", comesBack: true, sentence: "Nothing was heard for too long; come back and catch up." },
  { code: 4509, name: "room_reloaded", comesBack: true, sentence: "The server loads the session again; come back and catch up." },
] as const satisfies readonly CloseCode[];

export type CloseName = (typeof CLOSE_CODES)[number]["name"];

/** Why something ended; `detail` is the server's addition, for a refused replica the path and the rule. */
export interface CloseReason extends CloseCode {
  detail: string;
}

export function closeByCode(code: number): CloseCode | undefined {
  return CLOSE_CODES.find((close) => close.code === code);
}

/** The close code that a reason string names; undefined when it names none of ours. */
export function parseReason(reason: string): CloseReason | undefined {
  const [name, ...rest] = reason.split(": ");
  const close = CLOSE_CODES.find((candidate) => candidate.name === name);
  return close && { ...close, detail: rest.join(": ") };
}

/** What a client does after a close with `code`, codes of other servers included: 44xx and 1000 stop. */
export function shouldComeBack(code: number): boolean {
  return code !== 1000 && (code < 4400 || code >= 4500);
}
