import { Marked } from "marked";
import { expect, test } from "vitest";
import { formulas } from "../../src/ui/formulas.ts";
import { mathMl } from "../../src/ui/math.ts";

const reader = new Marked({ breaks: true }, formulas((tex, display) => (display ? `{{${tex}}}` : `{${tex}}`)));

function read(text: string): string {
  return reader.parse(text, { async: false }).trim();
}

test.each([
  ["so $x^2$, said she", "<p>so {x^2}, said she</p>"],
  ["so \\(a_1 * b * c\\) it is", "<p>so {a_1 * b * c} it is</p>"],
  ["then $$E = mc^2$$ follows", "<p>then {{E = mc^2}} follows</p>"],
  ["It is\n\\[\na\n- b\n= c\n\\]\nand so on", "<p>It is</p>\n<p>{{a\n- b\n= c}}</p><p>and so on</p>"],
])("a formula is found in %j", (text, html) => expect(read(text)).toBe(html));

test.each([
  "A stay at $134 a night, or $149",
  "from $100/$200",
  "either $5 or 6$",
  "$ not a formula $",
  "`$x$`",
  "an open \\$x$ sign",
])("none is found in %j", (text) => expect(read(text)).not.toContain("{"));

test("a formula becomes MathML that holds nothing else", () => {
  expect(mathMl("\\frac{a}{b}", true)).toMatch(/<math[^>]*display="block".*<mfrac><mi>a<\/mi><mi>b<\/mi><\/mfrac>/);
  expect(mathMl("x < y", false)).not.toContain("annotation");
  expect(mathMl("\\href{javascript:alert(1)}{x}", false)).not.toContain("javascript");
  expect(mathMl("\\fcolorbox{red}{blue}{x} \\text{ style=\"y\"}", false)).not.toContain(' style="');
  expect(mathMl("\\frac{", false)).toBeUndefined();
  expect(mathMl("\\def\\a{\\a\\a}\\a", false)).toBeUndefined();
});
