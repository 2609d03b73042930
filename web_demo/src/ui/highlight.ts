/** Colours for code, loaded when the first finished code block is shown. */

import hljs from "highlight.js/lib/common";

export function highlightWithin(root: Element): void {
  for (const code of root.querySelectorAll<HTMLElement>("pre code:not([data-highlighted])")) {
    const language = /language-(\S+)/.exec(code.className)?.[1];
    if (language && hljs.getLanguage(language)) hljs.highlightElement(code);
  }
}
