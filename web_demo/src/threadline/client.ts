/** A device's connection to one server, as one user: it opens sessions and runs agents. */

import { Metrics, Sessions, type AgentInfo } from "./api.ts";
import { Connection, type ConnectionStatus } from "./connection.ts";
import { Demo } from "./demo.ts";
import { uuid7 } from "./document/ids.ts";
import { Devices } from "./devices.ts";
import { Emitter } from "./emitter.ts";
import type { RunEvent } from "./events.ts";
import { HttpApi } from "./http_api.ts";
import type { RunRequest } from "./intents.ts";
import type { JsonObject } from "./json.ts";
import type { Frame, SocketClass } from "./ledger.ts";
import { Session } from "./session.ts";
import { Invitations, Members } from "./sharing.ts";
import { IndexedDbStore, NoStore, type LocalStore } from "./store.ts";
import type { TokenSource } from "./token.ts";

export interface ConnectOptions {
  /** Who one is to the server; where any token is a name, that name. A function is asked whenever one is wanted. */
  token: TokenSource;
  /** The user's name in ids; a fixed token where it is left out. */
  user?: string;
  /** How people call the user; the user's name where it is left out. */
  name?: string;
  /** A label for people: "Pixel 9". */
  device?: string;
  /** Where copies are kept; IndexedDB where there is one, otherwise nowhere. Null keeps none. */
  store?: LocalStore | null;
  /** For Node, which needs one (`ws`). */
  WebSocket?: SocketClass;
  retryDelayMs?: number;
}

/** Connects in the background; nothing here waits for the network. `url` is the server's, `http://host:port`. */
export function connect(url: string, options: ConnectOptions): Client {
  return new Client(url, options);
}

export class Client extends Emitter<{ status: [ConnectionStatus] }> {
  readonly user: string;
  readonly name: string;
  readonly device: string;
  readonly sessions: Sessions;
  readonly agents: Agents;
  readonly metrics: Metrics;
  readonly demo: Demo;
  readonly devices: Devices;
  readonly members: Members;
  readonly invitations: Invitations;
  readonly #connection: Connection;
  readonly #token: TokenSource;
  readonly #store: LocalStore;
  readonly #open = new Map<string, Promise<Session>>();

  constructor(url: string, options: ConnectOptions) {
    super();
    this.user = options.user ?? (typeof options.token === "string" ? options.token : "");
    if (!this.user) throw new Error("A client whose token is a function needs the name of its user.");
    this.name = options.name ?? this.user;
    this.device = options.device ?? "";
    this.#token = options.token;
    this.#store = options.store ?? defaultStore(url, this.user, options.store);
    const api = new HttpApi(url, options.token);
    this.sessions = new Sessions(api);
    this.agents = new Agents(this, api);
    this.metrics = new Metrics(api);
    this.demo = new Demo(api);
    this.devices = new Devices(api);
    this.members = new Members(api);
    this.invitations = new Invitations(api);
    this.#connection = new Connection(url, options);
    this.#connection.on("status", (status) => this.emit("status", status));
  }

  get status(): ConnectionStatus {
    return this.#connection.status;
  }

  /** Opens a session from the local copy, at once; joins it (and creates it if that is allowed) in the background. */
  async open(id: string): Promise<Session> {
    const known = this.#open.get(id);
    if (known) return known;
    const { user, name, device, sessions } = this;
    const options = { user, name, device, sessions, token: this.#token, store: this.#store };
    const opening = Session.open(id, this.#connection, options);
    this.#open.set(id, opening);
    opening.catch(() => this.#open.delete(id));
    return opening;
  }

  async close_session(session: Session): Promise<void> {
    this.#open.delete(session.id);
    await session.close();
  }

  agent(name: string): AgentHandle {
    return new AgentHandle(this, name);
  }

  /** Removes the local copies of a session that is not open. */
  async forget(id: string): Promise<void> {
    await Promise.all([this.#store.remove(id), this.#store.remove(`${id}~me`)]);
  }

  /** Tells of every frame that passes, until the function that is given back is called. */
  watch(seen: (frame: Frame) => void): () => void {
    return this.#connection.ledger.on("frame", seen);
  }

  /** How long frames wait before they leave, for showing what a slow network does; 0 for not at all. */
  get delay_ms(): number {
    return this.#connection.ledger.delay_ms;
  }

  set delay_ms(delay_ms: number) {
    this.#connection.ledger.delay_ms = delay_ms;
  }

  /** Cuts the socket, as a network would; the client comes back by itself. */
  drop(): void {
    this.#connection.drop();
  }

  /** Leaves the network until `reconnect`; edits are kept. */
  disconnect(): void {
    this.#connection.disconnect();
  }

  /** Shows the server the token that the source gives now, on everything that is open, which does not notice. */
  async renew_token(): Promise<void> {
    const sessions = await Promise.all(this.#open.values());
    await Promise.all(sessions.map((session) => session.renew_token()));
  }

  /** Comes back at once, whatever wait is under way. */
  reconnect(): void {
    this.#connection.connect();
  }

  /** Tells what the device says of its network (`online` and `offline` events), so that it reacts at once. */
  network(online: boolean): void {
    this.#connection.network(online);
  }

  async close(): Promise<void> {
    const sessions = await Promise.allSettled(this.#open.values());
    this.#open.clear();
    await Promise.all(sessions.map((opened) => (opened.status === "fulfilled" ? opened.value.close() : undefined)));
    this.#connection.destroy();
    this.forgetListeners();
  }
}

export interface Goal extends Omit<RunRequest, "agent" | "message"> {
  goal: string;
  /** Of a session to work in; one of its own where it is left out. */
  session?: string;
  max_steps?: number;
  max_tokens?: number;
  timeout_seconds?: number;
}

/** `client.agents.get("travel").executeStream({ goal })`. */
export class Agents {
  readonly #client: Client;
  readonly #api: HttpApi;

  constructor(client: Client, api: HttpApi) {
    this.#client = client;
    this.#api = api;
  }

  get(name = ""): AgentHandle {
    return new AgentHandle(this.#client, name);
  }

  /** Agents that the server's workers run now; the first answers where none is named. */
  async list(): Promise<AgentInfo[]> {
    return ((await this.#api.call("GET", "/agents")) as unknown as { agents: AgentInfo[] }).agents;
  }
}

/** An agent of the server by its name. */
export class AgentHandle {
  readonly name: string;
  readonly #client: Client;

  constructor(client: Client, name: string) {
    this.#client = client;
    this.name = name;
  }

  /** Executes a goal in a session of its own (or a given one) and gives its events as they happen. */
  async *executeStream(request: Goal): AsyncGenerator<RunEvent> {
    const { session: id = uuid7(), max_steps, max_tokens, timeout_seconds, ...asked } = request;
    const bounds = Object.entries({ max_steps, max_tokens, timeout_seconds }).filter(([, bound]) => bound !== undefined);
    const limits: JsonObject = { ...asked.limits, ...(Object.fromEntries(bounds) as JsonObject) };
    const session = await this.#client.open(id);
    try {
      const run = await session.execute({ ...asked, limits, agent: this.name });
      yield* run.events();
    } finally {
      if (request.session === undefined) await this.#client.close_session(session);
    }
  }
}

function defaultStore(url: string, user: string, wanted: LocalStore | null | undefined): LocalStore {
  if (wanted === null || typeof indexedDB === "undefined") return new NoStore();
  return new IndexedDbStore(`${new URL(url).host}:${user}`);
}
