/**
 * A peer that speaks the native dialect, for what a real server does only when things go wrong: acknowledgements that
 * are late, a document that is refused, a socket that drops. The real server has its own tests in `real_server.test.ts`.
 */

import * as decoding from "lib0/decoding";
import * as encoding from "lib0/encoding";
import { WebSocketServer, type WebSocket } from "ws";
import * as Y from "yjs";
import { FrameType, SyncKind, writeFrame } from "../src/threadline/protocol/frames.ts";

interface Line {
  socket: WebSocket;
  names: Set<string>;
  user: string;
}

export class FakeServer {
  readonly documents = new Map<string, Y.Doc>();
  readonly tokens: string[] = [];
  /** Updates and step 2s as they came, by document. */
  readonly received: { name: string; kind: number }[] = [];
  /** While true, acknowledgements are kept back. */
  withhold = false;
  /** A document by its name that is refused on joining, with the reason. */
  readonly refusals = new Map<string, string>();
  readonly #server: WebSocketServer;
  readonly #lines = new Set<Line>();
  #kept: (() => void)[] = [];

  static async start(port = 0): Promise<FakeServer> {
    const server = new WebSocketServer({ host: "127.0.0.1", port });
    await new Promise((resolve) => server.once("listening", resolve));
    return new FakeServer(server);
  }

  private constructor(server: WebSocketServer) {
    this.#server = server;
    server.on("connection", (socket) => this.#welcome(socket));
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as { port: number }).port}`;
  }

  document(name: string): Y.Doc {
    const known = this.documents.get(name);
    if (known) return known;
    const doc = new Y.Doc();
    doc.on("update", (update: Uint8Array, origin: unknown) => this.#forward(name, update, origin));
    this.documents.set(name, doc);
    return doc;
  }

  release(): void {
    this.withhold = false;
    for (const acknowledge of this.#kept.splice(0)) acknowledge();
  }

  /** Drops every socket without a word, as a network does. */
  drop(): void {
    for (const { socket } of this.#lines) socket.terminate();
  }

  closeSockets(code: number, reason: string): void {
    for (const { socket } of this.#lines) socket.close(code, reason);
  }

  closeDocument(name: string, reason: string): void {
    const frame = writeFrame(name, FrameType.Close, (encoder) => encoding.writeVarString(encoder, reason));
    for (const line of this.#lines) if (line.names.delete(name)) line.socket.send(frame);
  }

  async stop(): Promise<void> {
    this.drop();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #welcome(socket: WebSocket): void {
    const line: Line = { socket, names: new Set(), user: "" };
    this.#lines.add(line);
    socket.on("close", () => this.#lines.delete(line));
    socket.on("message", (data) => this.#receive(line, new Uint8Array(data as Buffer)));
  }

  #receive(line: Line, data: Uint8Array): void {
    const decoder = decoding.createDecoder(data);
    const name = decoding.readVarString(decoder);
    const type = decoding.readVarUint(decoder);
    if (type === FrameType.Auth) this.#authenticate(line, name, decoder);
    else if (type === FrameType.Close) line.names.delete(name);
    else if (!line.names.has(name)) return;
    else if (type === FrameType.Sync) this.#sync(line, name, decoder);
    else if (type === FrameType.Awareness) for (const other of this.#lines) other.socket.send(data);
  }

  #authenticate(line: Line, name: string, decoder: decoding.Decoder): void {
    decoding.readVarUint(decoder);
    const token = decoding.readVarString(decoder);
    this.tokens.push(token);
    line.user = token.split(" ")[0]!;
    const refusal = this.refusals.get(name);
    if (refusal !== undefined) return this.#say(line, name, FrameType.Auth, 1, refusal);
    line.names.add(name);
    this.#say(line, name, FrameType.Auth, 2, "read-write");
    this.#hello(line, name);
  }

  #hello(line: Line, name: string): void {
    const session = name.split("~")[0];
    const server = { name: "fake", version: "0" };
    const hello = { type: "hello", session, lineage: `l-${session}`, user: line.user, role: "owner", device: "" };
    const payload = JSON.stringify({ ...hello, durability: "fsync", limits: {}, server });
    line.socket.send(writeFrame(name, FrameType.Stateless, (encoder) => encoding.writeVarString(encoder, payload)));
  }

  #say(line: Line, name: string, type: number, kind: number, text: string): void {
    const frame = writeFrame(name, type, (encoder) => {
      encoding.writeVarUint(encoder, kind);
      encoding.writeVarString(encoder, text);
    });
    line.socket.send(frame);
  }

  #sync(line: Line, name: string, decoder: decoding.Decoder): void {
    const kind = decoding.readVarUint(decoder);
    const body = decoding.readVarUint8Array(decoder);
    const doc = this.document(name);
    if (kind === SyncKind.Step1) {
      this.#sendSync(line, name, SyncKind.Step1, Y.encodeStateVector(doc));
      return this.#sendSync(line, name, SyncKind.Step2, Y.encodeStateAsUpdate(doc, body));
    }
    this.received.push({ name, kind });
    Y.applyUpdate(doc, body, line);
    const acknowledge = (): void =>
      line.socket.send(writeFrame(name, FrameType.SyncStatus, (encoder) => encoding.writeVarUint(encoder, 1)));
    if (this.withhold) this.#kept.push(acknowledge);
    else acknowledge();
  }

  #sendSync(line: Line, name: string, kind: number, body: Uint8Array): void {
    const frame = writeFrame(name, FrameType.Sync, (encoder) => {
      encoding.writeVarUint(encoder, kind);
      encoding.writeVarUint8Array(encoder, body);
    });
    line.socket.send(frame);
  }

  #forward(name: string, update: Uint8Array, origin: unknown): void {
    for (const line of this.#lines) {
      if (line !== origin && line.names.has(name)) this.#sendSync(line, name, SyncKind.Update, update);
    }
  }
}
