/** The HTTP API by subject: sessions, agents, metrics. The names are those of the Python SDK. */

import type { Attachment } from "./attachments.ts";
import type { HttpApi } from "./http_api.ts";
import type { Json, JsonObject } from "./json.ts";
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

/** A session with its latest run. Durations are milliseconds. */
export interface SessionDetail extends SessionInfo {
  goal: string;
  output: string;
  steps: { number: number; type: string; name: string; input: Json; output: Json; duration_ms: number | null }[];
  tokens_used: number;
  tool_calls: number;
  duration_ms: number | null;
  error: { code: string; message: string } | null;
}

/** With a `goal` the session gets its first run, which goes on while this returns. */
export interface NewSession {
  id?: string;
  title?: string;
  agent_id?: string;
  goal?: string;
  context?: Json;
  max_steps?: number;
  max_tokens?: number;
  timeout_seconds?: number;
  tools?: string[];
  model?: string;
  parent?: string;
  labels?: string[];
}

/** Keys of the state: those put back, and those that others have changed since. */
export interface Undone {
  run: string;
  restored: string[];
  left: string[];
}

/** Behind the message with the id `after`, or before all others. */
export interface Insertion {
  role?: "system" | "user" | "assistant";
  content: string;
  after?: string | null;
}

export interface AgentInfo {
  id: string;
  description: string;
  model: string;
  tools: { name: string; description: string; requires_approval: boolean }[];
}

/** What was asked for; the others are null. `avg_duration` is in milliseconds, `success_rate` in percent. */
export interface MetricsReport {
  agent_id: string | null;
  period: string;
  sessions_total: number | null;
  sessions_completed: number | null;
  sessions_failed: number | null;
  sessions_cancelled: number | null;
  avg_duration: number | null;
  success_rate: number | null;
  tokens_used: number | null;
  cost_usd: number | null;
}

export interface SessionFilter {
  agent_id?: string;
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

  async create(session: NewSession = {}): Promise<SessionInfo> {
    return (await this.#api.call("POST", "/sessions", session)) as unknown as SessionInfo;
  }

  async get(id: string): Promise<SessionDetail> {
    return (await this.#api.call("GET", `/sessions/${encodeURIComponent(id)}`)) as unknown as SessionDetail;
  }

  /** Stops the active run; again is no error. */
  async cancel(id: string, reason = ""): Promise<SessionInfo> {
    return (await this.#post(id, "cancel", { reason })) as unknown as SessionInfo;
  }

  /** Takes back what a run that is over has changed; what others changed since stays. */
  async undo(id: string, run: string): Promise<Undone> {
    return (await this.#post(id, "undo", { run })) as unknown as Undone;
  }

  /** Puts shorter messages in the place of others, as the session's owner. Gives back their ids. */
  async compact(id: string, retract: string[], insert: Insertion[] = []): Promise<string[]> {
    return ((await this.#post(id, "compact", { retract, insert })) as unknown as { inserted: string[] }).inserted;
  }

  /** The whole session as data. */
  async export(id: string): Promise<JsonObject> {
    return (await this.#api.call("GET", `/sessions/${encodeURIComponent(id)}/export`)) as JsonObject;
  }

  /** A new session of one's own from an export, as data or as Markdown. */
  async import(exported: JsonObject | string): Promise<SessionInfo> {
    const body = typeof exported === "string" ? { markdown: exported } : { session: exported };
    return (await this.#api.call("POST", "/sessions/import", body)) as unknown as SessionInfo;
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

  /**
   * A session of one's own that goes on from a moment of this one: after so many changes of its log, or as it is with the
   * messages up to one.
   */
  async branch(id: string, from: number | { message: string }): Promise<{ id: string }> {
    const body = typeof from === "number" ? { changes: from } : from;
    return (await this.#post(id, "branch", body)) as unknown as { id: string };
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

  async #post(id: string, what: string, body: object): Promise<Json> {
    return this.#api.call("POST", `/sessions/${encodeURIComponent(id)}/${what}`, body);
  }
}

export class Metrics {
  readonly #api: HttpApi;

  constructor(api: HttpApi) {
    this.#api = api;
  }

  /** Numbers of the last hours (`24h`) or days (`7d`); all there are where none are named. */
  async get(options: { agent_id?: string; period?: string; metrics?: string[] } = {}): Promise<MetricsReport> {
    const { agent_id, period = "7d", metrics = [] } = options;
    const query = new URLSearchParams({ period, metrics: metrics.join(","), ...(agent_id === undefined ? {} : { agent_id }) });
    return (await this.#api.call("GET", `/metrics?${query}`)) as unknown as MetricsReport;
  }
}
