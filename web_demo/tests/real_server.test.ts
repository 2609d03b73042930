import "fake-indexeddb/auto";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { WebSocket } from "ws";
import * as Y from "yjs";
import { connect, type Client, type ConnectOptions, type Session } from "../src/threadline/index.ts";
import type { SocketClass } from "../src/threadline/ledger.ts";
import { RealServer } from "./real_server.ts";
import { until } from "./until.ts";

let server: RealServer;
let clients: Client[] = [];
let number = 0;
let name = "";

beforeAll(async () => {
  server = await RealServer.start();
}, 30_000);
afterAll(async () => server.stop());
beforeEach(() => {
  number += 1;
  name = `trip${number}`;
});
afterEach(async () => {
  await Promise.all(clients.map((client) => client.close()));
  clients = [];
});

function device(user: string, options: Partial<ConnectOptions> = {}): Client {
  const client = connect(server.url, {
    token: user,
    device: "Node",
    WebSocket: WebSocket as unknown as SocketClass,
    retryDelayMs: 20,
    ...options,
  });
  clients.push(client);
  return client;
}

async function joined(user: string, options: Partial<ConnectOptions> = {}): Promise<Session> {
  const session = await device(user, options).open(name);
  await session.joined();
  return session;
}

test("two devices share a session and everything is saved", async () => {
  const phone = await joined("ada");
  const laptop = await joined("bob", { store: null });
  phone.messages.create({ text: "Héllo 🏨" });
  phone.state.set("trip", { city: "Berlin", tags: ["food", "art"] });
  laptop.counters.add("views", 2);
  await Promise.all([phone.saved(), laptop.saved()]);
  await until("equal digests", () => phone.digest() === laptop.digest());
  await until("the stamp", () => laptop.messages.all()[0]?.seq);
  expect(phone.hello).toMatchObject({ user: "ada", role: "owner", device: "Node", durability: "fsync" });
  expect(laptop.state.get("trip")).toEqual({ city: "Berlin", tags: ["food", "art"] });
  await until("presence", () => laptop.presence.users.includes("ada"));
});

test("a file is attached on one device and read on another", async () => {
  const phone = await joined("ada");
  const laptop = await joined("bob");
  const attachment = await phone.attach("plan.csv", new Blob(["city\nBerlin\n"]), "text/csv");
  expect(attachment).toMatchObject({ name: "plan.csv", type: "text/csv", size: 12 });
  await phone.send("Read this", { attachments: [attachment] });
  const named = await until("the message", () => laptop.messages.all()[0]?.attachments[0]);
  expect(named).toEqual(attachment);
  expect(await (await laptop.attachment(attachment.id)).text()).toBe("city\nBerlin\n");
  await expect(phone.attach("run.sh", new Blob(["x"]), "application/x-sh")).rejects.toMatchObject({ code: "attachment_refused" });
  await expect(phone.attachment("nothing")).rejects.toMatchObject({ code: "attachment_not_found" });
});

test("presence is whole again right after a reconnect, without waiting for renewals", async () => {
  const phone = await joined("ada");
  const laptop = await joined("bob", { store: null });
  await until("both here", () => phone.presence.users.length === 2 && laptop.presence.users.length === 2);
  const [client] = clients;
  client!.disconnect();
  await until("gone", () => laptop.presence.users.length === 1 && phone.presence.users.length === 1);
  client!.reconnect();
  await until("back", () => phone.presence.users.length === 2 && laptop.presence.users.length === 2);
});

test("edits of a closed page travel under its older client id", async () => {
  const first = await device("ada").open(name);
  await first.saved();
  const [page] = clients.splice(0);
  page!.disconnect();
  first.state.set("budget", 150);
  first.draft.set("under $150");
  await page!.close();
  const second = await joined("ada");
  await second.saved();
  second.state.set("city", "Berlin");
  await second.saved();
  const witness = await joined("ada", { store: null });
  await until("equal digests", () => witness.digest() === second.digest());
  expect(witness.state.toJSON()).toEqual({ budget: 150, city: "Berlin" });
  await until("the draft", () => witness.draft.text === "under $150");
});

test("a forged change ends the replica's line; a reset goes on without it", async () => {
  const session = await joined("ada");
  const witness = await joined("bob", { store: null });
  session.state.set("city", "Berlin");
  await session.saved();
  const { document: doc } = session;
  doc.transact(() => {
    const forged = new Y.Map<unknown>();
    doc.getMap("messages").set("bob/1", forged);
    forged.set("role", "user");
  });
  await until("rejected", () => session.ended?.name === "replica_rejected");
  expect(session.ended?.detail).toContain("messages");
  const message = session.messages.create({ text: "written while it was over" });
  const recovery = await session.reset_replica();
  expect(recovery.replayed).toEqual([message]);
  await session.saved();
  await until("equal digests", () => witness.digest() === session.digest());
  expect(witness.messages.all().map(({ text }) => text)).toEqual(["written while it was over"]);
});

test("the agent answers, events tell it once, and a late reader gets the same", async () => {
  const session = await joined("ada");
  const run = await session.send("Find hotels in Berlin");
  let output = "";
  const kinds: string[] = [];
  for await (const event of run.events()) {
    kinds.push(event.type);
    if (event.type === "output") output = output.slice(0, event.offset) + event.content;
  }
  expect(kinds[0]).toBe("session_start");
  expect(kinds.at(-1)).toBe("done");
  expect(kinds).toContain("tool_call");
  expect(run.status).toBe("completed");
  expect(output).toBe(run.output);
  const late = await joined("bob", { store: null });
  const again: string[] = [];
  for await (const event of late.run(run.id).events()) again.push(event.type);
  expect(again.at(-1)).toBe("done");
  expect(new Set(again)).toEqual(new Set(kinds));
});

test("executeStream runs a goal in a session of its own", async () => {
  const kinds: string[] = [];
  const client = device("ada", { store: null });
  for await (const event of client.agent("").executeStream({ goal: "Find hotels in Berlin" })) kinds.push(event.type);
  expect(kinds[0]).toBe("session_start");
  expect(kinds.at(-1)).toBe("done");
});

test("agents, executions, metrics, exports and undo have the names of the Python SDK", async () => {
  const client = device("ada", { store: null });
  const [agent] = await client.agents.list();
  expect(agent?.tools.map(({ name: tool }) => tool)).toContain("find_hotels");
  const kinds: string[] = [];
  const goal = { goal: "Find hotels in Berlin", session: name, max_steps: 5 };
  for await (const event of client.agents.get(agent!.id).executeStream(goal)) kinds.push(event.type);
  expect(kinds.at(-1)).toBe("done");
  const detail = await client.sessions.get(name);
  expect([detail.status, detail.goal, detail.tool_calls]).toEqual(["completed", "Find hotels in Berlin", 1]);
  expect((await client.sessions.list({ agent_id: "nobody" })).sessions).toEqual([]);
  const counted = async (): Promise<number> => (await client.metrics.get({ metrics: ["sessions_total"] })).sessions_total ?? 0;
  expect(await counted()).toBeGreaterThan(0);
  const session = await client.open(name);
  const made = await client.sessions.import(await client.sessions.export(name));
  expect(made.labels).toEqual(["imported"]);
  const [run] = session.runs.all();
  await session.run(run!.id).undo();
  await until("the answer is gone", () => session.messages.all().every(({ role }) => role === "user"));
  expect((await client.sessions.cancel(name)).id).toBe(name);
});

test("sessions are created, listed, renamed and deleted over HTTP; a deleted one says so", async () => {
  const client = device("ada");
  await client.sessions.create({ id: name, title: "Berlin" });
  await client.sessions.rename(name, "Berlin in May");
  const { sessions } = await client.sessions.list({ text: "May" });
  expect(sessions.map(({ id }) => id)).toContain(name);
  const session = await client.open(name);
  await session.joined();
  await client.sessions.delete(name);
  await until("told", () => session.ended?.name === "session_deleted");
  await expect(client.sessions.get(name)).rejects.toMatchObject({ code: "session_deleted" });
});

test("a token that is no name is refused with a code", async () => {
  const session = await device("not/a/name", { store: null }).open(name);
  await expect(session.joined()).rejects.toMatchObject({ code: "unauthorized" });
});
