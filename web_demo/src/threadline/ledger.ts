/**
 * What of ours is on its way on the present socket, per document.
 *
 * A document is *settled* when, on this socket, our answer to the server's state vector (the step 2, which holds all
 * we have) was sent and every step 2 and update sent was acknowledged. The provider's own count is not enough: it
 * starts at 1 on a new socket while updates that queued up offline bring acknowledgements of their own.
 */

import { Emitter } from "./emitter.ts";
import { FrameType, readHeader, type FrameHeader } from "./protocol/frames.ts";

interface Account {
  answered: boolean;
  outstanding: number;
}

/** A frame that passed, for those who watch. */
export interface Frame {
  at: number;
  sent: boolean;
  address: string;
  what: string;
  bytes: number;
}

export class Ledger extends Emitter<{ change: [address: string]; refused: [address: string]; heard: []; frame: [Frame] }> {
  /** How long frames wait before they leave, for showing what a slow network does. */
  delay_ms = 0;
  #accounts = new Map<string, Account>();
  #socket: object | undefined;

  settled(address: string): boolean {
    const account = this.#accounts.get(address);
    return account !== undefined && account.answered && account.outstanding === 0;
  }

  socketOpened(socket: object): void {
    this.#socket = socket;
    this.#accounts.clear();
  }

  /** Nothing is settled without a socket; the end of an older one says nothing of the present one. */
  socketClosed(socket: object): void {
    if (this.#socket !== socket) return;
    this.#socket = undefined;
    const addresses = [...this.#accounts.keys()];
    this.#accounts.clear();
    for (const address of addresses) this.emit("change", address);
  }

  forget(address: string): void {
    this.#accounts.delete(address);
  }

  /** Notes an outgoing frame; false when it need not be sent, because the step 2 to come includes it. */
  sending(data: Uint8Array): boolean {
    const header = readHeader(data);
    this.emit("frame", frameOf(header, data.length, true));
    if (header.type === "close") this.forget(header.address);
    if (header.type !== "sync" || header.kind === "step1") return true;
    const account = this.#account(header.address);
    if (header.kind === "update" && !account.answered) return false;
    account.answered = true;
    account.outstanding += 1;
    this.emit("change", header.address);
    return true;
  }

  received(data: Uint8Array): void {
    this.emit("heard");
    const header = readHeader(data);
    this.emit("frame", frameOf(header, data.length, false));
    if (header.type !== "status") return;
    if (!header.applied) return void this.emit("refused", header.address);
    const account = this.#account(header.address);
    account.outstanding = Math.max(0, account.outstanding - 1);
    this.emit("change", header.address);
  }

  #account(address: string): Account {
    const known = this.#accounts.get(address);
    if (known) return known;
    const account = { answered: false, outstanding: 0 };
    this.#accounts.set(address, account);
    return account;
  }
}

function frameOf(header: FrameHeader, bytes: number, sent: boolean): Frame {
  const address = "address" in header ? header.address : "";
  return { at: Date.now(), sent, address, what: whatOf(header), bytes };
}

function whatOf(header: FrameHeader): string {
  if (header.type === "sync") return `sync ${header.kind}`;
  if (header.type !== "other") return header.type;
  if (header.number === FrameType.Auth) return "auth";
  return header.number === FrameType.Awareness || header.number === FrameType.QueryAwareness ? "awareness" : "other";
}

export interface SocketLike extends EventTarget {
  send(data: Uint8Array): void;
  close(): void;
  readonly readyState: number;
}
export type SocketClass = new (url: string) => SocketLike;

const OPEN = 1;

/** `Base` with every frame shown to `ledger`: the provider takes any WebSocket class, so it stays as published. */
export function meteredSocket(Base: SocketClass, ledger: Ledger): SocketClass {
  return class MeteredSocket extends Base {
    #free = 0;

    constructor(url: string) {
      super(url);
      ledger.socketOpened(this);
      this.addEventListener("close", () => ledger.socketClosed(this));
      this.addEventListener("message", (event) => {
        ledger.received(new Uint8Array((event as MessageEvent<ArrayBuffer>).data));
      });
    }

    override send(data: Uint8Array): void {
      if (!ledger.sending(data)) return;
      const now = Date.now();
      // A frame never overtakes another, also when the delay has just become shorter.
      this.#free = Math.max(now + ledger.delay_ms, this.#free);
      if (this.#free <= now) super.send(data);
      else setTimeout(() => this.readyState === OPEN && super.send(data), this.#free - now);
    }

    override close(): void {
      ledger.socketClosed(this);
      super.close();
    }
  };
}
