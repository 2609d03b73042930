import { expect, test } from "vitest";
import { isName, isUserName, ownerOf, uuid7 } from "../../src/threadline/document/ids.ts";

test("a uuid7 has its time first, its version and its variant", () => {
  const id = uuid7(0x0190_1234_5678);
  expect(id).toMatch(/^01901234-5678-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(uuid7(1) < uuid7(2)).toBe(true);
});

test("names are those that the server allows", () => {
  expect([isName("trip"), isName("a.b:c@d_e-f"), isName("x".repeat(128))]).toEqual([true, true, true]);
  expect([isName(""), isName("a b"), isName("Zoë"), isName("x".repeat(129))]).toEqual([false, false, false, false]);
  expect([isUserName("ada"), isUserName("agent:travel"), isUserName("server:")]).toEqual([true, false, false]);
});

test("an entry belongs to what stands before its last slash", () => {
  expect([ownerOf("ada/1"), ownerOf("agent:travel/1"), ownerOf("ada")]).toEqual(["ada", "agent:travel", ""]);
});
