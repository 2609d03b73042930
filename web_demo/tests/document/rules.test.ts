import { afterAll, beforeAll, expect, test } from "vitest";
import { refusal } from "../../src/threadline/document/rules.ts";
import type { RootName } from "../../src/threadline/document/schema.ts";
import type { Role } from "../../src/threadline/protocol/notices.ts";
import { PythonPeer } from "../python_peer.ts";

let python: PythonPeer;
beforeAll(() => {
  python = new PythonPeer();
});
afterAll(() => python.stop());

const ENTRIES: [root: RootName, key: string, value: unknown][] = [
  ["state", "/budget", 150],
  ["state", "budget", 150],
  ["state", "/agent:plan", 1],
  ["state", "/agent:plan/city", "x"],
  ["state", "agent:plan", 1],
  ["state", "/agent~1x", 1],
  ["state", `/${"x".repeat(511)}`, 1],
  ["state", `/${"x".repeat(512)}`, 1],
  ["counters", "views/1", 1],
  ["counters", `${"x".repeat(600)}/1`, 1],
  ["meta", "title", "Berlin"],
  ["meta", "title", "x".repeat(201)],
  ["meta", "/context/city", "Berlin"],
  ["intents", "ada/1", { kind: "cancel", run: "ada/2", device: "", at: 1, reason: "" }],
];

test.each(["owner", "editor", "viewer"] as Role[])("a device as %s is refused what the server would refuse", async (role) => {
  for (const [root, key, value] of ENTRIES) {
    const reason = await python.judge(role, root, key, value);
    expect([root, key, refusal(role, root, key, value) === undefined]).toEqual([root, key, reason === null]);
  }
});
