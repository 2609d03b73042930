/** The HTTP API, as far as a device uses it: who lists, creates, renames and deletes sessions. */

import type { Attachment } from "./attachments.ts";
import { SessionError, ThreadlineError } from "./errors.ts";
import { isJsonObject, type Json } from "./json.ts";
import type { Log } from "./replay.ts";
import { mappingOf, textOf } from "./document/values.ts";

export interface SessionInfo {
  id: string;
  lineage: string;
  title: string;
  owner: string;
  role: string;
  agent: string;
  status: string;
  parent: string;
  labels: string[];
  created_at: string;
  last_activity: string;
}

export interface SessionListing {
  sessions: SessionInfo[];
  cursor: string | null;
}

export interface SessionFilter {
  agent?: string;
  status?: string;
  label?: string;
  parent?: string;
  text?: string;
  limit?: number;
  cursor?: string;
}

const TIMEOUT_MS = 15_000;
const FILE_TIMEOUT_MS = 120_000;

export class Sessions {
  readonly #base: string;
  readonly #token: string;

  constructor(url: string, token: string) {
    this.#base = new URL("api/v1/sessions", url.endsWith("/") ? url : `${url}/`).href;
    this.#token = token;
  }

  /** Newest activity first. Throws ThreadlineError with the server's code; TypeError where it cannot be reached. */
  async list(filter: SessionFilter = {}): Promise<SessionListing> {
    const query = new URLSearchParams(Object.entries(filter).map(([name, value]) => [name, String(value)]));
    return (await this.#ask("GET", `?${query}`)) as unknown as SessionListing;
  }

  async create(session: { id?: string; title?: string; agent?: string; parent?: string } = {}): Promise<SessionInfo> {
    return (await this.#ask("POST", "", session)) as unknown as SessionInfo;
  }

  async get(id: string): Promise<SessionInfo> {
    return (await this.#ask("GET", `/${encodeURIComponent(id)}`)) as unknown as SessionInfo;
  }

  async rename(id: string, title: string): Promise<SessionInfo> {
    return (await this.#ask("PATCH", `/${encodeURIComponent(id)}`, { title })) as unknown as SessionInfo;
  }

  async delete(id: string): Promise<void> {
    await this.#ask("DELETE", `/${encodeURIComponent(id)}`);
  }

  /** The log of a session, for `Replay`. */
  async replay(id: string): Promise<Log> {
    return (await this.#ask("GET", `/${encodeURIComponent(id)}/replay`)) as unknown as Log;
  }

  /** A session of one's own that goes on from a moment of this one: after so many changes of its log. */
  async branch(id: string, changes: number): Promise<{ id: string }> {
    return (await this.#ask("POST", `/${encodeURIComponent(id)}/branch`, { changes })) as unknown as { id: string };
  }

  /** Keeps a small file with a session, and gives back what a message names it by. */
  async attach(id: string, name: string, data: Blob, type = ""): Promise<Attachment> {
    const path = `/${encodeURIComponent(id)}/attachments?${new URLSearchParams({ name })}`;
    const made = await this.#send("POST", path, data, type || data.type || "application/octet-stream", FILE_TIMEOUT_MS);
    return (await made.json()) as Attachment;
  }

  /** The content of an attached file, under the type that the server vouches for. */
  async attachment(id: string, attachment: string): Promise<Blob> {
    const path = `/${encodeURIComponent(id)}/attachments/${encodeURIComponent(attachment)}`;
    return (await this.#send("GET", path, undefined, "", FILE_TIMEOUT_MS)).blob();
  }

  async #ask(method: string, path: string, body?: object): Promise<Json> {
    const response = await this.#send(method, path, body && JSON.stringify(body), "application/json");
    return response.status === 204 ? null : ((await response.json().catch(() => null)) as Json);
  }

  async #send(method: string, path: string, body: string | Blob | undefined, type: string, timeout_ms = TIMEOUT_MS): Promise<Response> {
    const response = await fetch(this.#base + path, {
      method,
      headers: { Authorization: `Bearer ${this.#token}`, ...(body === undefined ? {} : { "Content-Type": type }) },
      ...(body === undefined ? {} : { body }),
      signal: AbortSignal.timeout(timeout_ms),
    });
    if (response.ok) return response;
    throw errorOf((await response.json().catch(() => null)) as Json, response.status);
  }
}

/** The server's envelope, `{"error": {code, message, ...}}`, as an error. */
function errorOf(answer: Json, status: number): ThreadlineError {
  const error = mappingOf(isJsonObject(answer) ? answer["error"] : null);
  const code = textOf(error["code"], `http_${status}`);
  const message = textOf(error["message"], `The server answered with ${status}.`);
  return code.startsWith("session_") ? new SessionError(code, message) : new ThreadlineError(code, message);
}
