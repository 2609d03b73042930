import { expect, test } from "vitest";
import { RowHeights } from "../../src/ui/row_heights.ts";

function named(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `m${index}`);
}

test("rows that were never drawn are taken to be as high as the others on average", () => {
  const rows = new RowHeights();
  rows.setKeys(named(10_000));
  const guess = rows.top(1);
  expect(rows.total).toBe(10_000 * guess);
  rows.measure("m0", 40);
  rows.measure("m1", 60);
  expect(rows.top(2)).toBe(100);
  expect(rows.total).toBe(100 + 9_998 * 50);
});

test("a position is in the row that begins there or above", () => {
  const rows = new RowHeights();
  rows.setKeys(named(3));
  for (const [index, height] of [10, 20, 30].entries()) rows.measure(`m${index}`, height);
  expect([-5, 0, 9, 10, 29, 30, 59, 999].map((y) => rows.at(y))).toEqual([0, 0, 0, 1, 1, 2, 2, 2]);
});

test("heights stay known when rows come before them, or go and come back", () => {
  const rows = new RowHeights();
  rows.setKeys(["b", "c"]);
  rows.measure("b", 10);
  rows.measure("c", 30);
  rows.setKeys(["a", "b", "c"]);
  expect([rows.top(1), rows.top(2), rows.total]).toEqual([20, 30, 60]);
  rows.setKeys(["c"]);
  expect(rows.total).toBe(30);
  expect(rows.indexOf("b")).toBeUndefined();
});

test("a height that is the same as before changes nothing", () => {
  const rows = new RowHeights();
  rows.setKeys(["a"]);
  expect(rows.measure("a", 10)).toBe(true);
  expect(rows.measure("a", 10.2)).toBe(false);
  expect(rows.measure("a", 12)).toBe(true);
});

test("an empty list has no height and one place", () => {
  const rows = new RowHeights();
  expect([rows.total, rows.at(50), rows.count]).toEqual([0, 0, 0]);
  expect(rows.keyAt(0)).toBeUndefined();
});
