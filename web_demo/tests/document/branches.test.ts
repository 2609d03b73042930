import { describe, expect, test } from "vitest";
import { lineOf, parentOf, START } from "../../src/threadline/document/branches.ts";
import type { Message } from "../../src/threadline/index.ts";
import { golden } from "../fixtures.ts";

interface Case {
  name: string;
  messages: [id: string, role: Message["role"], parent: string | null][];
  line: string[];
  before: Record<string, string[]>;
}

function messagesOf(rows: Case["messages"]): Message[] {
  return rows.map(([id, role, parent]) => ({
    id,
    role,
    author: { user: "ada", device: "", name: "" },
    created_at: 0,
    text: id,
    status: "complete",
    run: undefined,
    parent: parent ?? undefined,
    data: null,
    attachments: [],
    seq: undefined,
    received_at: undefined,
  }));
}

const CASES = golden<Case[]>("document/fixtures/branches.json");
const EDITED: Case["messages"] = [
  ["q1", "user", null],
  ["a1", "assistant", "q1"],
  ["q2", "user", null],
  ["b1", "assistant", "q1"],
  ["q3", "user", START],
];

describe("the line that is shown", () => {
  test.each(CASES)("$name", ({ messages, line }) => {
    expect(lineOf(messagesOf(messages)).map(({ message }) => message.id)).toEqual(line);
  });

  test("turns to another version, and says which it is", () => {
    const messages = messagesOf(EDITED);
    const [first] = lineOf(messages);
    expect(first).toMatchObject({ above: START, version: 2, versions: ["q1", "q3"] });
    const choices = new Map([[START, "q1"]]);
    expect(lineOf(messages, choices).map(({ message, version }) => [message.id, version])).toEqual([
      ["q1", 1],
      ["b1", 2],
    ]);
    expect(lineOf(messages, choices.set("q1", "a1")).map(({ message }) => message.id)).toEqual(["q1", "a1", "q2"]);
  });

  test("a version has the parent of what it takes the place of", () => {
    expect(parentOf(messagesOf(EDITED), "q2")).toBe("a1");
    expect(parentOf(messagesOf(EDITED), "q1")).toBe(START);
  });
});
