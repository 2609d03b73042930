/** The HTTP API, as far as a device uses it: who lists, creates, renames and deletes sessions. */

import type { Attachment } from "./attachments.ts";
import type { HttpApi } from "./http_api.ts";
import type { Log } from "./replay.ts";

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

export class Sessions {
  readonly #api: HttpApi;

  constructor(api: HttpApi) {
    this.#api = api;
  }

  /** Newest activity first. Throws ThreadlineError with the server's code; TypeError where it cannot be reached. */
  async list(filter: SessionFilter = {}): Promise<SessionListing> {
    const query = new URLSearchParams(Object.entries(filter).map(([name, value]) => [name, String(value)]));
    return (await this.#api.call("GET", `/sessions?${query}`)) as unknown as SessionListing;
  }

  async create(session: { id?: string; title?: string; agent?: string; parent?: string } = {}): Promise<SessionInfo> {
    return (await this.#api.call("POST", "/sessions", session)) as unknown as SessionInfo;
  }

  async get(id: string): Promise<SessionInfo> {
    return (await this.#api.call("GET", `/sessions/${encodeURIComponent(id)}`)) as unknown as SessionInfo;
  }

  async rename(id: string, title: string): Promise<SessionInfo> {
    return (await this.#api.call("PATCH", `/sessions/${encodeURIComponent(id)}`, { title })) as unknown as SessionInfo;
  }

  async delete(id: string): Promise<void> {
    await this.#api.call("DELETE", `/sessions/${encodeURIComponent(id)}`);
  }

  /** The log of a session, for `Replay`. */
  async replay(id: string): Promise<Log> {
    return (await this.#api.call("GET", `/sessions/${encodeURIComponent(id)}/replay`)) as unknown as Log;
  }

  /** A session of one's own that goes on from a moment of this one: after so many changes of its log. */
  async branch(id: string, changes: number): Promise<{ id: string }> {
    return (await this.#api.call("POST", `/sessions/${encodeURIComponent(id)}/branch`, { changes })) as unknown as { id: string };
  }

  /** Keeps a small file with a session, and gives back what a message names it by. */
  async attach(id: string, name: string, data: Blob, type = ""): Promise<Attachment> {
    const path = `/sessions/${encodeURIComponent(id)}/attachments?${new URLSearchParams({ name })}`;
    return (await this.#api.upload(path, data, type || data.type || "application/octet-stream")) as unknown as Attachment;
  }

  /** The content of an attached file, under the type that the server vouches for. */
  async attachment(id: string, attachment: string): Promise<Blob> {
    return this.#api.download(`/sessions/${encodeURIComponent(id)}/attachments/${encodeURIComponent(attachment)}`);
  }
}
