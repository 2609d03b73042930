/** Formulas as MathML, loaded when the first one is shown. */

import DOMPurify from "dompurify";
import katex from "katex";

/** Beyond these a formula is left as it was written: nobody means it, and it would cost the page. */
const LIMITS = { maxExpand: 200, maxSize: 20 };
const MOST_CHARS = 5_000;

const CONFIGURATION = { USE_PROFILES: { mathMl: true }, FORBID_ATTR: ["class", "href", "id", "style", "xlink:href"] };

// Its source once more, and styles: the content policy has a browser complain of those even while they are being taken
// out. Within text KaTeX writes quotation marks as entities.
const LEFT_OUT = /<annotation\b[^>]*>[^<]*<\/annotation>| style="[^"]*"/g;

/** Draws the formulas within `root`; one that cannot be read stays as it was written. */
export function typesetWithin(root: Element): void {
  for (const source of root.querySelectorAll<HTMLElement>("code.math")) {
    const formula = mathMl(source.textContent, source.classList.contains("display"));
    if (formula) source.replaceWith(sanitized(formula));
  }
}

/** The formula as MathML; undefined where it is none. */
export function mathMl(tex: string, displayMode: boolean): string | undefined {
  if (tex.length > MOST_CHARS) return undefined;
  try {
    const drawn = katex.renderToString(tex, { displayMode, output: "mathml", strict: "ignore", trust: false, ...LIMITS });
    return drawn.replace(LEFT_OUT, "");
  } catch {
    return undefined;
  }
}

function sanitized(html: string): DocumentFragment {
  return DOMPurify.sanitize(html, { ...CONFIGURATION, RETURN_DOM_FRAGMENT: true });
}
