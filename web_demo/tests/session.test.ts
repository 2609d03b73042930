import "fake-indexeddb/auto";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { connect, type Client, type ConnectOptions, type Session } from "../src/threadline/index.ts";
import type { SocketClass } from "../src/threadline/ledger.ts";
import { SyncKind } from "../src/threadline/protocol/frames.ts";
import { FakeServer } from "./fake_server.ts";
import { until } from "./until.ts";

let server: FakeServer;
let clients: Client[];
let number = 0;
let name: string;

beforeEach(async () => {
  server = await FakeServer.start();
  clients = [];
  number += 1;
  name = `trip${number}`;
});

afterEach(async () => {
  await Promise.all(clients.map((client) => client.close()));
  await server.stop();
});

function device(user: string, options: Partial<ConnectOptions> = {}): Client {
  const WebSocketClass = WebSocket as unknown as SocketClass;
  const client = connect(server.url, { token: user, device: "Pixel 9", WebSocket: WebSocketClass, retryDelayMs: 20, ...options });
  clients.push(client);
  return client;
}

async function joined(user: string, options: Partial<ConnectOptions> = {}): Promise<Session> {
  const session = await device(user, options).open(name);
  await session.joined();
  return session;
}

describe("two devices", () => {
  test("share transcript, state, counters and presence", async () => {
    const phone = await joined("ada", { device: "Pixel 9" });
    const laptop = await joined("bob", { device: "Laptop", store: null });
    const run = await phone.send("Find hotels in Berlin");
    phone.state.set("trip", { city: "Berlin", tags: ["food"] });
    laptop.counters.add("views", 2);
    phone.counters.add("views");
    await until("the message arrives", () => laptop.messages.all().length === 1);
    await until("equal digests", () => phone.digest() === laptop.digest());
    expect(laptop.messages.all()[0]).toMatchObject({ text: "Find hotels in Berlin", author: { user: "ada", device: "Pixel 9" } });
    expect(laptop.intents.all()[0]).toMatchObject({ id: run.id, kind: "run", user: "ada" });
    expect(laptop.intents.all()[0]?.fields["message"]).toBe(laptop.messages.all()[0]?.id);
    expect(laptop.state.get("trip")).toEqual({ city: "Berlin", tags: ["food"] });
    expect(phone.counters.get("views")).toBe(3);
    await until("presence", () => phone.presence.users.length === 2);
    expect(phone.presence.all()[0]).toMatchObject({ user: "ada", mine: true });
  });

  test("extend one list and one dict offline, and both parts stay", async () => {
    const [phone, laptop] = [device("ada"), device("bob", { store: null })];
    const [one, two] = [await phone.open(name), await laptop.open(name)];
    await Promise.all([one.joined(), two.joined()]);
    phone.disconnect();
    laptop.disconnect();
    one.state.set("cart", ["pen"]);
    one.state.set("trip", { city: "Berlin" });
    two.state.set("cart", ["ink"]);
    two.state.set("trip", { nights: 2 });
    phone.reconnect();
    laptop.reconnect();
    await Promise.all([one.saved(), two.saved()]);
    await until("equal digests", () => one.digest() === two.digest());
    expect([...(one.state.get("cart") as string[])].sort()).toEqual(["ink", "pen"]);
    expect(one.state.get("trip")).toEqual({ city: "Berlin", nights: 2 });
  });

  test("share the draft of their user, and undo only their own change", async () => {
    const phone = await joined("ada");
    const laptop = await joined("ada", { store: null });
    phone.draft.set("Under $150");
    await until("the draft follows", () => laptop.draft.text === "Under $150");
    laptop.draft.set("Under $150 a night 🏨");
    await until("and comes back", () => phone.draft.text === "Under $150 a night 🏨");
    phone.state.set("budget", 150);
    await until("the budget", () => laptop.state.get("budget") === 150);
    laptop.state.set("city", "Berlin");
    await until("the city", () => phone.state.get("city") === "Berlin");
    expect(phone.undo()).toBe(true);
    await until("undone everywhere", () => laptop.state.get("budget") === undefined);
    expect(laptop.state.toJSON()).toEqual({ city: "Berlin" });
  });
});

describe("undo", () => {
  test("takes back messages, counts and state one after another, and what was asked with them", async () => {
    const phone = await joined("ada");
    const laptop = await joined("bob", { store: null });
    phone.state.set("city", "Berlin");
    const run = await phone.send("Find hotels");
    phone.counters.add("views", 2);
    laptop.state.set("budget", 100);
    await until("all is there", () => laptop.messages.all().length === 1 && phone.state.get("budget") === 100);
    expect(phone.undo()).toBe(true);
    expect(phone.counters.get("views")).toBe(0);
    expect(phone.undoable?.message).toBe(phone.messages.all()[0]!.id);
    expect(phone.undo()).toBe(true);
    await until("it is gone", () => laptop.messages.all().length === 0);
    const cancelled = laptop.intents.all().filter(({ kind, fields }) => kind === "cancel" && fields["run"] === run.id);
    expect(cancelled).toHaveLength(1);
    expect(phone.undo()).toBe(true);
    expect(phone.state.toJSON()).toEqual({ budget: 100 });
    expect([phone.undo(), phone.undoable]).toEqual([false, undefined]);
  });

  test("of a draft leaves what another device typed, and does not bring back what was sent", async () => {
    const phone = await joined("ada");
    const laptop = await joined("ada", { store: null });
    phone.draft.set("Under $150");
    await until("the draft follows", () => laptop.draft.text === "Under $150");
    laptop.draft.set("Quiet, under $150");
    await until("and comes back", () => phone.draft.text === "Quiet, under $150");
    expect(phone.draft.undo()).toBe(true);
    expect(phone.draft.text).toBe("Quiet, u");
    expect(phone.draft.redo()).toBe(true);
    expect(phone.draft.text).toBe("Quiet, under $150");
    await phone.send("Quiet, under $150");
    expect([phone.draft.undo(), phone.draft.text]).toEqual([false, ""]);
  });
});

test("how far one has read follows from device to device and never goes back", async () => {
  const phone = await joined("ada");
  const laptop = await joined("ada", { store: null, device: "Laptop" });
  expect(laptop.read.up_to).toBe(0);
  phone.read.mark(5);
  phone.read.mark(3);
  await until("the marker follows", () => laptop.read.up_to === 5);
  laptop.read.mark(4);
  expect(laptop.read.up_to).toBe(5);
  laptop.read.mark(7);
  await until("and back", () => phone.read.up_to === 7);
});

describe("the saved word", () => {
  test("says saved only after every acknowledgement", async () => {
    const session = await joined("ada");
    await session.saved();
    server.withhold = true;
    session.state.set("a", 1);
    session.state.set("b", 2);
    expect(session.saved_word).toEqual({ word: "saving", waiting: 2 });
    await until("both arrive", () => server.document(name).getMap("state").size === 2);
    expect(session.saved_word.word).toBe("saving");
    server.release();
    await session.saved();
    expect(session.saved_word).toEqual({ word: "saved", waiting: 0 });
  });

  test("counts what waits offline, and sends it once as one step 2", async () => {
    const client = device("ada");
    const session = await client.open(name);
    await session.saved();
    client.disconnect();
    server.received.length = 0;
    server.withhold = true;
    for (let count = 0; count < 5; count += 1) session.state.set("n", count);
    expect(session.saved_word).toEqual({ word: "offline", waiting: 5 });
    client.reconnect();
    await until("the edits arrive", () => server.document(name).getMap("state").get("/n") === 4);
    expect(session.saved_word).toEqual({ word: "saving", waiting: 5 });
    expect(server.received.filter((frame) => frame.name === name)).toEqual([{ name, kind: SyncKind.Step2 }]);
    server.release();
    await session.saved();
  });

  test("a dropped socket is not a saved one, and comes back by itself", async () => {
    const session = await joined("ada");
    await session.saved();
    server.withhold = true;
    session.state.set("a", 1);
    server.drop();
    await until("offline", () => session.saved_word.word !== "saved");
    expect(session.saved_word.waiting).toBe(1);
    server.release();
    await session.saved();
    expect(server.document(name).getMap("state").get("/a")).toBe(1);
  });
});

test("what the rules refuse is not written, so that the replica lives", async () => {
  const session = await joined("ada");
  expect(() => session.state.set("agent:secret", 1)).toThrow("written by the agent alone");
  expect(() => session.state.set("x".repeat(600), 1)).toThrow("at most 512");
  expect(() => (session.title = "x".repeat(201))).toThrow("at most 200");
  expect(session.state.toJSON()).toEqual({});
  expect(session.ended).toBeUndefined();
});

describe("offline copies", () => {
  test("edits of a page that was closed offline are sent by the next one", async () => {
    const first = device("ada");
    const before = await first.open(name);
    await before.saved();
    first.disconnect();
    before.state.set("budget", 150);
    before.draft.set("under $150");
    const run = await before.send("Find hotels");
    const [client] = clients.splice(0);
    const digest = before.digest();
    await client!.close();

    server.withhold = true;
    const session = await device("ada").open(name);
    expect(session.digest()).toBe(digest);
    expect(session.draft.text).toBe("under $150");
    expect(session.saved_word.waiting).toBeGreaterThan(0);
    await until("the edits arrive", () => server.document(name).getMap("intents").has(run.id));
    expect(session.saved_word.word).toBe("saving");
    server.release();
    await session.saved();
    expect(server.document(`${name}~me`).getText("draft").toString()).toBe("under $150");
  });

  test("the lineage is told on joining again, copies are kept apart by user", async () => {
    const session = await joined("ada");
    session.state.set("secret", 1);
    await session.saved();
    const [client] = clients.splice(0);
    await client!.close();
    server.tokens.length = 0;
    const again = await joined("ada");
    expect(again.state.get("secret")).toBe(1);
    expect(server.tokens).toContain(`ada device=Pixel%209 lineage=l-${name}`);
    server.drop();
    const other = await device("eve").open(name);
    expect(other.isEmpty).toBe(true);
  });
});

describe("ends", () => {
  test.each(["unauthorized: no", "lineage_mismatch", "session_deleted"])("%s stops the session and says why", async (reason) => {
    server.refusals.set(name, reason);
    const session = await device("ada").open(name);
    await expect(session.joined()).rejects.toMatchObject({ code: reason.split(":")[0], session_id: name });
    expect(session.saved_word.word).toBe("failed");
    expect(session.canWrite).toBe(false);
    await expect(session.send("hello")).rejects.toThrow();
  });

  test("a close of the socket with 44xx stops, one with 45xx comes back", async () => {
    const session = await joined("ada");
    server.closeSockets(4503, "store_unavailable");
    await until("gone", () => !session.synced);
    await session.joined();
    server.closeSockets(4429, "too_fast: slow down");
    await until("stopped", () => session.ended?.name === "too_fast");
    expect(session.ended?.detail).toBe("slow down");
  });

  test("a document that is loaded anew is joined again", async () => {
    const session = await joined("ada");
    server.closeDocument(name, "room_reloaded");
    await until("left", () => !session.synced);
    await session.joined();
    session.state.set("a", 1);
    await session.saved();
    expect(server.document(name).getMap("state").get("/a")).toBe(1);
  });

  test("a refused replica is reset: unsent messages go again, the rest is given back", async () => {
    const client = device("ada");
    const session = await client.open(name);
    session.state.set("city", "Berlin");
    await session.saved();
    const before = session.messages.create({ text: "kept" });
    client.disconnect();
    const refused = session.messages.create({ text: "refused" });
    const run = await session.send("not sent yet");
    session.state.set("budget", 1);
    session.draft.set("half a thought");
    server.refusals.set(name, `replica_rejected: messages/${refused}: not allowed`);
    client.reconnect();
    await until("rejected", () => session.ended?.name === "replica_rejected");
    server.refusals.clear();
    const recovery = await session.reset_replica();
    expect(session.ended).toBeUndefined();
    expect(recovery).toMatchObject({ refused: { [refused]: "refused" }, kept: { budget: 1 } });
    expect(recovery.replayed).toContain(run.id);
    expect(recovery.set_aside.draft).toBe("half a thought");
    await session.saved();
    expect(session.messages.all().map(({ text }) => text)).toEqual(["kept", "not sent yet"]);
    expect(session.messages.get(before)).toBeDefined();
    expect(session.intents.all().map(({ id }) => id)).toEqual([run.id]);
    expect(session.draft.text).toBe("half a thought");
    expect(session.state.toJSON()).toEqual({ city: "Berlin" });
  });

  test("closing a session ends those who wait in it", async () => {
    const client = device("ada");
    const session = await client.open(name);
    const run = await session.send("hello");
    const events = run.events();
    const next = events.next();
    await client.close_session(session);
    await expect(next).rejects.toMatchObject({ code: "session_closed" });
  });
});
