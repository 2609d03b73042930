import { createHmac } from "node:crypto";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { WebSocket } from "ws";
import { connect, link_device, sign_in_way, stay_signed_in, who_is, type Client, type TokenSource } from "../src/threadline/index.ts";
import type { SocketClass } from "../src/threadline/ledger.ts";
import { RealServer } from "./real_server.ts";
import { until } from "./until.ts";

const SECRET = "k3J-9sLq2ZxV7bNwT1yRfH6uEoPaMc4DgXi8KjQv0W5tYsBz";

let server: RealServer;
let clients: Client[] = [];

beforeAll(async () => {
  server = await RealServer.start("--auth", "token", "--auth-secret", SECRET, "--link-poll-s", "0.05");
}, 30_000);
afterAll(async () => server.stop());
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
});

function part(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}

/** A token as an issuer would sign it. */
function tokenOf(user: string, life_s = 3600): string {
  const now_s = Math.floor(Date.now() / 1000);
  const claims = { sub: user, iss: "threadline", aud: "threadline", iat: now_s, exp: now_s + life_s };
  const signed = `${part({ alg: "HS256" })}.${part(claims)}`;
  return `${signed}.${createHmac("sha256", SECRET).update(signed).digest("base64url")}`;
}

function device(user: string, token: TokenSource = tokenOf(user)): Client {
  const client = connect(server.url, { token, user, WebSocket: WebSocket as unknown as SocketClass, retryDelayMs: 20 });
  clients.push(client);
  return client;
}

test("a device links another one, sees it and signs it off", async () => {
  expect(await sign_in_way(server.url)).toBe("token");
  const laptop = device("ada");
  const link = await laptop.devices.link("");
  const numbers: string[] = [];
  const linking = link_device(server.url, link.code.toLowerCase(), "Pixel 9", (number) => numbers.push(number));
  while ((await link.look()).stage === "waiting");
  const { number } = link.view;
  const looking = link.look();
  await link.confirm();
  const linked = await linking;
  await looking;
  expect((await link.look()).stage).toBe("confirmed");
  expect(numbers).toEqual([number]);
  expect(await who_is(server.url, linked.token)).toMatchObject({ user: "ada", proof: "device" });
  await expect(link_device(server.url, link.code, "Eve", () => undefined)).rejects.toMatchObject({ code: "expired_token" });

  const phone = await device("ada", linked.token).open("devices");
  await phone.joined();
  const [key] = await laptop.devices.list();
  expect(key).toMatchObject({ label: "Pixel 9", kind: "device", current: false });
  await laptop.devices.revoke(key!.id);
  await until("the phone is out", () => phone.ended?.name === "unauthorized");
});

test("a token that ends is renewed on the open document, or exchanged for one that lasts", async () => {
  let token = tokenOf("bob", 600);
  const asked: string[] = [];
  const client = device("bob", () => (asked.push(token), token));
  const session = await client.open("renewed");
  await session.joined();
  token = tokenOf("bob", 3000);
  await client.renew_token();
  expect(asked).toContain(token);
  session.state.set("still", "here");
  await session.saved();
  const lasting = await stay_signed_in(server.url, token, "Laptop");
  expect((await who_is(server.url, lasting.token)).proof).toBe("device");
});

test("people are invited, made readers, and removed", async () => {
  const [ada, bob] = [device("ada"), device("bob")];
  const here = await ada.open("shared");
  await here.joined();
  const made = await ada.invitations.make("shared", { role: "editor", uses: 1 });
  expect(await ada.invitations.list("shared")).toHaveLength(1);
  expect((await bob.invitations.accept(made.code)).role).toBe("editor");
  await expect(bob.invitations.accept(made.code)).rejects.toMatchObject({ code: "forbidden" });
  const there = await bob.open("shared");
  await there.joined();
  expect(there.canWrite).toBe(true);
  expect(await ada.members.grant("shared", "bob", "viewer")).toContainEqual({ user: "bob", role: "viewer" });
  await until("bob reads alone", () => !there.canWrite);
  await ada.members.remove("shared", "bob");
  await until("bob is out", () => there.ended?.name === "forbidden");
  expect(here.ended).toBeUndefined();
});

test("a ticket stands for its user once", async () => {
  const ada = device("ada");
  const ticket = await ada.devices.ticket();
  const answers = [];
  for (let time = 0; time < 2; time += 1) answers.push((await fetch(`${server.url}/api/v1/me?token=${ticket}`)).status);
  expect(answers).toEqual([200, 401]);
});
