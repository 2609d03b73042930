import { describe, expect, test } from "vitest";
import * as Y from "yjs";
import { Counters } from "../../src/threadline/counters.ts";
import { canonical, companionDigest, digest, sessionDigest } from "../../src/threadline/document/digest.ts";
import { keyBetween } from "../../src/threadline/document/order_key.ts";
import { CompanionRoot, EVENT_TYPES, ON_BUSY, Root, RUN_STATUSES, SCHEMA_VERSION, TERMINAL } from "../../src/threadline/document/schema.ts";
import { decode, decodeAt, difference, escape, replacement, type Entries } from "../../src/threadline/document/state.ts";
import { plain } from "../../src/threadline/document/values.ts";
import { project } from "../../src/threadline/events.ts";
import { Intents } from "../../src/threadline/intents.ts";
import type { Json, JsonObject } from "../../src/threadline/json.ts";
import { Messages } from "../../src/threadline/messages.ts";
import { Runs } from "../../src/threadline/runs.ts";
import { State } from "../../src/threadline/state.ts";
import { documentOf, golden, suffixSource } from "../fixtures.ts";

interface Schema {
  version: number;
  session: Record<string, { fields?: Record<string, { enum?: string[] }>; on_busy?: string[] }>;
  companion: Record<string, unknown>;
  events: string[];
  terminal: string[];
}

test("names are those of the schema", () => {
  const schema = golden<Schema>("document/schema.json");
  expect(schema.version).toBe(SCHEMA_VERSION);
  expect(Object.keys(schema.session).sort()).toEqual(Object.values(Root).sort());
  expect(Object.keys(schema.companion).sort()).toEqual(Object.values(CompanionRoot).sort());
  expect(schema.events).toEqual([...EVENT_TYPES]);
  expect(schema.terminal).toEqual([...TERMINAL]);
  expect(schema.session["runs"]?.fields?.["status"]?.enum).toEqual([...RUN_STATUSES]);
  expect(schema.session["intents"]?.on_busy).toEqual([...ON_BUSY]);
});

describe("order keys", () => {
  const cases = golden<{ low: string | null; high: string | null; suffix: string; key: string | null }[]>(
    "document/fixtures/order_keys.json",
  );
  test.each(cases)("between $low and $high", ({ low, high, suffix, key }) => {
    if (key === null) expect(() => keyBetween(low, high, () => suffix)).toThrow("order key");
    else expect(keyBetween(low, high, () => suffix)).toBe(key);
  });
});

describe("canonical form", () => {
  const cases = golden<{ json: Json; canonical: string; sha256: string }[]>("document/fixtures/canonical.json");
  test.each(cases)("$canonical", ({ json, canonical: text, sha256 }) => {
    expect(canonical(json)).toBe(text);
    expect(digest(json)).toBe(sha256);
  });
});

describe("the state codec", () => {
  const read = golden<{ name: string; entries: JsonObject; value: JsonObject }[]>("document/fixtures/state_decode.json");
  test.each(read)("reads $name", ({ entries, value }) => {
    expect(decode(new Map(Object.entries(entries)))).toEqual(value);
  });

  interface Write {
    name: string;
    entries: JsonObject;
    key: string;
    value: Json;
    whole: boolean;
    first_suffix: number;
    set: JsonObject;
    delete: string[];
    after: JsonObject;
  }
  const written = golden<Write[]>("document/fixtures/state_write.json");
  test.each(written)("writes $name", ({ entries: stored, key, value, whole, first_suffix, ...expected }) => {
    const entries: Entries = new Map(Object.entries(stored));
    const plan = whole ? replacement : difference;
    const change = plan(entries, `/${escape(key)}`, value, suffixSource(first_suffix));
    expect(Object.fromEntries(change.set)).toEqual(expected.set);
    expect(change.delete.sort()).toEqual(expected.delete.sort());
    const after = new Map([...entries].filter(([name]) => !change.delete.includes(name)).concat([...change.set]));
    expect(decode(after)).toEqual(expected.after);
    expect(decodeAt(after, `/${escape(key)}`)).toEqual(value);
  });
});

test("values of foreign peers become JSON", () => {
  const fixture = golden<{ update: string; canonical_state: string; digest: string }>("document/fixtures/foreign_values.json");
  const { doc } = documentOf(fixture.update);
  const state = Object.fromEntries([...doc.getMap("state")].map(([key, value]) => [key, value instanceof Y.Map ? plain(value.toJSON()) : plain(value)]));
  expect(canonical(state)).toBe(fixture.canonical_state);
  expect(sessionDigest(doc)).toBe(fixture.digest);
});

test("a companion document reads as in Python", () => {
  const fixture = golden<{ update: string; draft: string; state: JsonObject; digest: string }>("document/fixtures/companion.json");
  const holder = documentOf(fixture.update);
  expect(holder.doc.getText(CompanionRoot.draft).toString()).toBe(fixture.draft);
  expect(new State(holder, CompanionRoot.state).toJSON()).toEqual(fixture.state);
  expect(companionDigest(holder.doc)).toBe(fixture.digest);
});

describe("a session document reads as in Python", () => {
  const fixture = golden<{ update: string; digest: string } & Record<string, never>>("document/fixtures/session.json");
  const holder = documentOf(fixture.update);
  const messages = new Messages(holder, { user: "ada", device: "", name: "Ada" });
  const runs = new Runs(holder);
  const expected = fixture as Record<string, unknown>;

  test("its digest", () => expect(sessionDigest(holder.doc)).toBe(fixture.digest));
  test("its transcript", () => {
    expect(messages.all().map(({ id }) => id)).toEqual(expected["transcript"]);
    expect(messages.withRetracted().map(({ id }) => id)).toEqual(expected["transcript_with_retracted"]);
  });
  test("its state, context and counters", () => {
    expect(new State(holder, Root.state).toJSON()).toEqual(expected["state"]);
    expect(new State(holder, Root.meta, "/context").toJSON()).toEqual(expected["context"]);
    expect(new Counters(holder).toJSON()).toEqual(expected["counters"]);
  });
  test("its intents and runs", () => {
    const intents = new Intents(holder, { user: "ada", device: "" });
    expect(intents.all().map(({ id }) => id).sort()).toEqual([...(expected["intents"] as string[])].sort());
    expect(runs.all().map(({ id }) => id)).toEqual(expected["runs"]);
  });
  test("its events, from the start and after one that was seen", () => {
    const run = runs.get("ada/r1")!;
    const reply = messages.get(run.message)!.text;
    expect(project(run, reply)).toEqual(expected["events"]);
    expect(project(run, reply, "5.output.11")).toEqual(expected["events_after_5_output_11"]);
    expect(project(run, reply, "done")).toEqual([]);
  });
});
