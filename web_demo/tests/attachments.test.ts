import { expect, test } from "vitest";
import { readAttachments } from "../src/threadline/index.ts";
import { sizeText } from "../src/ui/file_size.ts";

test("what a message says of its files is read with care", () => {
  const good = { id: "a1", name: "plan.csv", type: "text/csv", size: 21 };
  expect(readAttachments([good])).toEqual([good]);
  expect(readAttachments(["x", 3, null, {}, { id: "../x", name: "x" }, { id: "x" }, { id: "x", name: {} }])).toEqual([]);
  expect(readAttachments([{ id: "x", name: "gpj\u202eexe.\u0007", type: 3, size: -1 }])).toEqual([
    { id: "x", name: "gpjexe.", type: "", size: 0 },
  ]);
  expect(readAttachments([{ id: "x", name: "\u202e" }])[0]!.name).toBe("x");
});

test.each([
  [21, "21 byte"],
  [3_400, "3.4 kB"],
  [12_000_000, "12 MB"],
])("%d bytes are %s", (bytes, text) => {
  expect(sizeText(bytes, "en")).toBe(text);
});
