/** Errors of this client; `code` is the same as in Python, in HTTP envelopes and in close reasons. */

import type { CloseReason } from "./protocol/close_codes.ts";

export class ThreadlineError extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** A write rule said no. `path` is where, `reason` why. */
export class Refused extends ThreadlineError {
  readonly path: string;
  readonly reason: string;

  constructor(path: string, reason: string) {
    super("refused", `${path}: ${reason}`);
    this.path = path;
    this.reason = reason;
  }
}

/** A session, or a run in it, failed. */
export class SessionError extends ThreadlineError {
  readonly session_id: string | undefined;

  constructor(code: string, message: string, sessionId?: string) {
    super(code, message);
    this.session_id = sessionId;
  }

  static fromClose(reason: CloseReason, sessionId: string): SessionError {
    const detail = reason.detail ? ` (${reason.detail})` : "";
    return new SessionError(reason.name, reason.sentence + detail, sessionId);
  }
}
