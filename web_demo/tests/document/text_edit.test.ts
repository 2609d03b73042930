import { expect, test } from "vitest";
import { shiftCaret, spliceBetween } from "../../src/threadline/document/text_edit.ts";

const PIECES = ["", "a", "aa", "é", "🏨", "🏩", "👩‍👧", "日本", "Under $150"];

test("a splice turns one text into the other and never parts a surrogate pair", () => {
  for (const one of PIECES) {
    for (const two of PIECES) {
      for (const three of PIECES) {
        const [before, after] = [one + two + three, one + three + two];
        const splice = spliceBetween(before, after);
        if (splice === null) {
          expect(before).toBe(after);
          continue;
        }
        const { index, remove, insert } = splice;
        expect(before.slice(0, index) + insert + before.slice(index + remove)).toBe(after);
        for (const part of [before.slice(0, index), before.slice(index + remove), insert]) {
          expect(part.isWellFormed()).toBe(true);
        }
      }
    }
  }
});

test("a caret stays with the words it stood at", () => {
  const insertBefore = spliceBetween("hotel", "a hotel")!;
  expect(shiftCaret(3, insertBefore)).toBe(5);
  expect(shiftCaret(0, insertBefore)).toBe(0);
  const cut = spliceBetween("one two three", "one three")!;
  expect(shiftCaret(13, cut)).toBe(9);
  expect(shiftCaret(2, cut)).toBe(2);
});
