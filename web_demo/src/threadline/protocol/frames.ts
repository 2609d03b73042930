/** The frames of the native dialect (Hocuspocus v4), as far as a client looks at them itself. */

import * as decoding from "lib0/decoding";
import * as encoding from "lib0/encoding";

export const FrameType = {
  Sync: 0,
  Awareness: 1,
  Auth: 2,
  QueryAwareness: 3,
  Stateless: 5,
  Close: 7,
  SyncStatus: 8,
  Ping: 9,
  Pong: 10,
} as const;

export const SyncKind = { Step1: 0, Step2: 1, Update: 2 } as const;

/** What a frame says of itself before its payload; `address` is the document's name. */
export type FrameHeader =
  | { type: "ping" | "pong" }
  | { type: "sync"; address: string; kind: "step1" | "step2" | "update" }
  | { type: "status"; address: string; applied: boolean }
  | { type: "close"; address: string; reason: string }
  | { type: "stateless"; address: string; payload: string }
  | { type: "other"; address: string; number: number };

const SYNC_KINDS = ["step1", "step2", "update"] as const;

/** The header of `data`. Throws where the bytes end too early or name an unknown sync kind. */
export function readHeader(data: Uint8Array): FrameHeader {
  if (data.length === 1) return readBare(data[0]!);
  const decoder = decoding.createDecoder(data);
  const address = decoding.readVarString(decoder);
  const number = decoding.readVarUint(decoder);
  switch (number) {
    case FrameType.Sync: {
      const kind = SYNC_KINDS[decoding.readVarUint(decoder)];
      if (kind === undefined) throw new Error("A sync frame of an unknown kind.");
      return { type: "sync", address, kind };
    }
    case FrameType.SyncStatus:
      return { type: "status", address, applied: decoding.readVarInt(decoder) === 1 };
    case FrameType.Close:
      // A client asks to close without a reason.
      return { type: "close", address, reason: decoding.hasContent(decoder) ? decoding.readVarString(decoder) : "" };
    case FrameType.Stateless:
      return { type: "stateless", address, payload: decoding.readVarString(decoder) };
    default:
      return { type: "other", address, number };
  }
}

function readBare(byte: number): FrameHeader {
  if (byte === FrameType.Ping) return { type: "ping" };
  if (byte === FrameType.Pong) return { type: "pong" };
  throw new Error("A frame of one byte is a ping or a pong; this one is neither.");
}

/** `address` and `type`, then `body`: how every addressed frame begins. */
export function writeFrame(address: string, type: number, body: (encoder: encoding.Encoder) => void): Uint8Array {
  const encoder = encoding.createEncoder();
  encoding.writeVarString(encoder, address);
  encoding.writeVarUint(encoder, type);
  body(encoder);
  return encoding.toUint8Array(encoder);
}
