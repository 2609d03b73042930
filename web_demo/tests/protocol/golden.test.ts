import * as decoding from "lib0/decoding";
import * as encoding from "lib0/encoding";
import { describe, expect, test } from "vitest";
import { CLOSE_CODES, closeByCode, parseReason, shouldComeBack } from "../../src/threadline/protocol/close_codes.ts";
import { encodeCredentials } from "../../src/threadline/protocol/credentials.ts";
import { readHeader } from "../../src/threadline/protocol/frames.ts";
import { decodeNote } from "../../src/threadline/protocol/notices.ts";
import { bytes, golden, hex } from "../fixtures.ts";

test("close codes are those of Python", () => {
  expect([...CLOSE_CODES]).toEqual(golden("protocol/close_codes.json"));
});

test("a reason names its code and adds a detail", () => {
  expect(parseReason("replica_rejected: messages/bob/1: not yours")).toMatchObject({
    code: 4409,
    detail: "messages/bob/1: not yours",
  });
  expect(parseReason("something else")).toBeUndefined();
});

test("44xx stops, all else comes back", () => {
  expect([4401, 4499, 1000].map(shouldComeBack)).toEqual([false, false, false]);
  expect([1001, 1006, 1012, 1013, 4500, 4599].every(shouldComeBack)).toBe(true);
  for (const close of CLOSE_CODES) expect(shouldComeBack(close.code)).toBe(close.comesBack);
  expect(closeByCode(4404)?.name).toBe("session_not_found");
});

interface Frame {
  name: string;
  from: "client" | "server" | "both";
  address?: string;
  hex: string;
  message: { type: string; reason?: string; payload?: string; applied?: boolean };
}

describe("frames", () => {
  const { cases } = golden<{ cases: Frame[] }>("protocol/golden/hocuspocus.json");
  test.each(cases)("$name", ({ address, hex: text, message }) => {
    const header = readHeader(bytes(text));
    if ("address" in header) expect(header.address).toBe(address);
    if (["step1", "step2", "update"].includes(message.type)) expect(header).toMatchObject({ type: "sync", kind: message.type });
    else if (["ping", "pong"].includes(message.type)) expect(header.type).toBe(message.type);
    else if (header.type === "status") expect(header.applied).toBe(message.applied);
    else if (header.type === "stateless") expect(header.payload).toBe(message.payload);
    else expect(["close", "other"]).toContain(header.type);
  });
});

describe("primitives", () => {
  const { cases } = golden<{ cases: { kind: string; value: number | string; hex: string }[] }>("protocol/golden/varints.json");
  test.each(cases)("$kind $value", ({ kind, value, hex: text }) => {
    const encoder = encoding.createEncoder();
    if (kind === "uint") encoding.writeVarUint(encoder, value as number);
    if (kind === "int") encoding.writeVarInt(encoder, value as number);
    if (kind === "text") encoding.writeVarString(encoder, value as string);
    if (kind === "bytes") encoding.writeVarUint8Array(encoder, bytes(value as string));
    expect(hex(encoding.toUint8Array(encoder))).toBe(text);
    if (kind === "text") expect(decoding.readVarString(decoding.createDecoder(bytes(text)))).toBe(value);
  });
});

describe("credentials", () => {
  interface Case {
    text: string;
    credentials: { token: string; device: string; lineage: string };
  }
  const { cases } = golden<{ cases: Case[] }>("protocol/golden/credentials.json");
  test.each(cases)("$text", ({ text, credentials }) => {
    const written = encodeCredentials(credentials);
    expect(decodeURIComponent(written)).toBe(decodeURIComponent(text));
  });

  test("a token with a space is refused", () => {
    expect(() => encodeCredentials({ token: "a b" })).toThrow("no space");
  });
});

describe("notes", () => {
  const { cases } = golden<{ cases: { payload: string; note: unknown }[] }>("protocol/golden/notices.json");
  test.each(cases)("$payload", ({ payload, note }) => expect(decodeNote(payload)).toEqual(note));

  test.each(["", "[]", "{}", '{"type":"hello"}', "not json"])("%s is not a note", (payload) => {
    expect(decodeNote(payload)).toBeUndefined();
  });
});
