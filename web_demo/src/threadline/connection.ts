/** The one socket of a client, over an unmodified Hocuspocus provider; several documents travel on it. */

import { HocuspocusProviderWebsocket, type onCloseParameters } from "@hocuspocus/provider";
import { Emitter } from "./emitter.ts";
import { Ledger, meteredSocket, type SocketClass } from "./ledger.ts";
import { closeByCode, parseReason, shouldComeBack, type CloseReason } from "./protocol/close_codes.ts";

/** `stopped`: the server said not to come back, or `disconnect` was called. */
export type ConnectionStatus = "connecting" | "online" | "offline" | "stopped";

export interface ConnectionOptions {
  WebSocket?: SocketClass;
  /** The first wait before coming back; later ones double, with jitter, up to 30 s. */
  retryDelayMs?: number;
}

const DEFAULT_RETRY_DELAY_MS = 700;
const STILL_ON_ITS_WAY_MS = 1_000;

export class Connection extends Emitter<{ status: [ConnectionStatus]; ended: [CloseReason] }> {
  readonly ledger = new Ledger();
  readonly socket: HocuspocusProviderWebsocket;
  status: ConnectionStatus = "connecting";
  /** The device says that it has no network, and nothing was heard since: a local server may be there all the same. */
  networkDown = false;
  #networkDownAt = 0;
  /** Nothing was reached or lost yet: too early to speak of being offline. */
  isFirstAttempt = true;
  /** Why the server stopped this client; undefined while it may come back. */
  ended: CloseReason | undefined;

  constructor(url: string, options: ConnectionOptions = {}) {
    super();
    const Base = options.WebSocket ?? (globalThis.WebSocket as unknown as SocketClass);
    const delay = options.retryDelayMs ?? DEFAULT_RETRY_DELAY_MS;
    this.socket = new HocuspocusProviderWebsocket({
      url: syncUrl(url),
      WebSocketPolyfill: meteredSocket(Base, this.ledger),
      // Whole numbers: the provider's retries silently give up on others.
      delay: Math.round(delay * (0.75 + Math.random() / 2)),
      minDelay: Math.round(delay / 2),
      onConnect: () => this.#become("online"),
      onClose: (closed) => this.#closed(closed),
      onDisconnect: () => this.#resume(),
    });
    this.ledger.on("heard", () => this.#heard());
  }

  /** Comes back at once, whatever wait is under way; also after a stop. */
  connect(): void {
    this.ended = undefined;
    if (this.status === "online") return;
    this.#become("connecting");
    void this.socket.connect();
  }

  /** What the device says of its network. When it is back, a socket from before may be dead without knowing it. */
  network(online: boolean): void {
    if (online && this.networkDown) this.#renew();
    this.networkDown = !online;
    this.#networkDownAt = Date.now();
    this.emit("status", this.status);
  }

  /** What is heard some time after the network went comes from a server that needs none; before, it was on its way. */
  #heard(): void {
    if (!this.networkDown || Date.now() - this.#networkDownAt < STILL_ON_ITS_WAY_MS) return;
    this.networkDown = false;
    this.emit("status", this.status);
  }

  #renew(): void {
    if (this.status === "stopped") return;
    const socket: EventTarget | null = this.socket.webSocket;
    // A dead socket takes its time to close, so the provider is told at once; it closes the socket itself.
    socket?.dispatchEvent(new CloseEvent("close", { code: 1006 }));
    this.connect();
  }

  /** Leaves the network until `connect`; local edits are kept. */
  disconnect(): void {
    this.socket.disconnect();
    this.#become("stopped");
  }

  /** Cuts the socket, as a network would; it comes back by itself. */
  drop(): void {
    if (this.status === "online") this.socket.webSocket?.close();
  }

  destroy(): void {
    this.socket.destroy();
    this.forgetListeners();
  }

  #closed({ event }: onCloseParameters): void {
    if (this.status === "stopped") return;
    if (shouldComeBack(event.code) || !this.#wasTold(event.code, event.reason)) return this.#become("offline");
    this.disconnect();
    this.emit("ended", this.ended!);
  }

  /** `connect` does nothing while a socket is still closing; so it is asked again when that is done. */
  #resume(): void {
    if (this.status !== "stopped" && !this.socket.shouldConnect) void this.socket.connect();
  }

  /** A plain 1000 may come from a proxy; only a code or reason of ours is an order to stop. */
  #wasTold(code: number, reason: string | undefined): boolean {
    const known = closeByCode(code);
    const named = reason ? parseReason(reason) : undefined;
    if (code === 1000 && named === undefined) return false;
    this.ended = named ?? (known ? { ...known, detail: "" } : undefined);
    return this.ended !== undefined && !this.ended.comesBack;
  }

  #become(status: ConnectionStatus): void {
    if (this.status === status) return;
    this.isFirstAttempt = false;
    this.status = status;
    this.emit("status", status);
  }
}

/** `http://host` as the address of the native dialect, `ws://host/sync`. */
export function syncUrl(url: string): string {
  const target = new URL("sync", url.endsWith("/") ? url : `${url}/`);
  target.protocol = target.protocol.replace("http", "ws");
  return target.href;
}
