import { expect, test } from "vitest";
import { ADMIN_WORDS } from "../../src/admin/words.ts";
import { ar } from "../../src/ui/words/ar.ts";
import { de } from "../../src/ui/words/de.ts";
import { en } from "../../src/ui/words/en.ts";
import { zh } from "../../src/ui/words/zh.ts";

/** Every key with what stands there: so languages can be held to the same keys and the same parameters. */
function shapeOf(words: object, path = ""): string[] {
  return Object.entries(words).flatMap(([key, value]) => {
    const at = `${path}/${key}`;
    if (typeof value === "function") return [`${at}(${value.length})`];
    return typeof value === "object" ? shapeOf(value as object, at) : [at];
  });
}

function textsOf(words: object): string[] {
  return Object.values(words).flatMap((value): string[] =>
    typeof value === "string" ? [value] : typeof value === "object" ? textsOf(value as object) : [],
  );
}

test.each(Object.entries(ADMIN_WORDS))("the admin page has the same keys in %s", (_, words) => {
  expect(shapeOf(words).sort()).toEqual(shapeOf(ADMIN_WORDS.en).sort());
  expect(textsOf(words).filter((text) => text.trim() === "")).toEqual([]);
});

test.each([
  ["German", de],
  ["Arabic", ar],
  ["Chinese", zh],
])("%s has the same keys as English, and no sentence is empty", (_, words) => {
  expect(shapeOf(words).sort()).toEqual(shapeOf(en).sort());
  expect(textsOf(words).filter((text) => text.trim() === "")).toEqual([]);
});
