/** Where formulas stand in text, as models and people write them: `$x$`, `$$x$$`, `\(x\)` and `\[x\]`. */

import type { MarkedExtension, Tokens } from "marked";

// A dollar sign is more often money: as in Pandoc, a formula touches both of its signs and no digit follows it.
// "$5 or 6$" begins with an amount and is none either.
const IN_A_LINE = /^(?:\\\((.+?)\\\)|\$(?!\$|\d[\d.,]*\s)(?=\S)((?:\\.|[^\\$\n])+?)(?<=\S)\$(?!\d))/;
const BY_ITSELF = /^(?:\\\[([\s\S]+?)\\\]|\$\$([\s\S]+?)\$\$)/;
const PARAGRAPH = /^ {0,3}(?:\\\[([\s\S]+?)\\\]|\$\$([\s\S]+?)\$\$)[ \t]*(?:\n|$)/;

interface Formula extends Tokens.Generic {
  tex: string;
  display: boolean;
}

/** `draw` gives the HTML of a formula. */
export function formulas(draw: (tex: string, display: boolean) => string): MarkedExtension {
  return {
    extensions: [
      {
        name: "formulaParagraph",
        level: "block",
        // Where a line begins with one: its own lines may look like lists or headings.
        start: (text) => /^ {0,3}(?:\\\[|\$\$)/m.exec(text)?.index,
        tokenizer: (text) => formulaOf("formulaParagraph", PARAGRAPH.exec(text), true),
        renderer: (token) => `<p>${draw((token as Formula).tex, true)}</p>`,
      },
      {
        name: "formula",
        level: "inline",
        start: (text) => /\$|\\[([]/.exec(text)?.index,
        tokenizer: formulaAt,
        renderer: (token) => draw((token as Formula).tex, (token as Formula).display),
      },
    ],
  };
}

function formulaAt(text: string): Formula | undefined {
  return formulaOf("formula", BY_ITSELF.exec(text), true) ?? formulaOf("formula", IN_A_LINE.exec(text), false);
}

function formulaOf(type: string, found: RegExpExecArray | null, display: boolean): Formula | undefined {
  const tex = (found?.[1] ?? found?.[2])?.trim();
  return found && tex ? { type, raw: found[0], tex, display } : undefined;
}
