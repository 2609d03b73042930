/** Text of people and agents as HTML: marked reads it, DOMPurify takes out everything that could act. */

import DOMPurify from "dompurify";
import { Marked, type Tokens } from "marked";
import { formulas } from "./formulas.ts";
import { words } from "./words/words.ts";

const reader = new Marked({ gfm: true, breaks: true });

reader.use({
  renderer: {
    code: ({ text, lang }: Tokens.Code) => codeBlock(text, lang ?? ""),
    // HTML is shown as it was written, apart from plain tags: a browser complains of styles and scripts in it even
    // while they are being taken out.
    html: ({ text, block }: Tokens.HTML | Tokens.Tag) => (block ? `<p>${plainTags(text)}</p>` : plainTags(text)),
    // A picture from elsewhere would tell its host who reads this; a link lets the reader choose.
    image: ({ href, text }: Tokens.Image) => `<a href="${escapeHtml(href)}">${escapeHtml(text || href)}</a>`,
  },
});

reader.use(formulas((tex, display) => `<code class="math${display ? " display" : ""}">${escapeHtml(tex)}</code>`));

DOMPurify.addHook("afterSanitizeAttributes", (node) => {
  if (node.tagName !== "A") return;
  node.setAttribute("target", "_blank");
  node.setAttribute("rel", "noopener noreferrer nofollow");
});

const CONFIGURATION = {
  ALLOWED_URI_REGEXP: /^(?:https?:|mailto:|tel:|#)/i,
  FORBID_ATTR: ["style", "id", "name"],
  FORBID_TAGS: ["style", "form", "input", "img", "picture", "video", "audio", "svg", "math", "dialog"],
  ALLOWED_ATTR: ["href", "title", "class", "type", "data-copy", "target", "rel", "start", "align", "dir"],
  ALLOW_DATA_ATTR: false,
};

/** Safe HTML. An open fence, as it stands while text streams in, is shown as the code it will be. */
export function render(text: string): string {
  return DOMPurify.sanitize(reader.parse(text, { async: false }), CONFIGURATION);
}

function codeBlock(text: string, language: string): string {
  const name = /^[\w+#.-]+/.exec(language)?.[0] ?? "";
  const bar = `<span>${escapeHtml(name)}</span><button type="button" data-copy="">${escapeHtml(words().app.copy)}</button>`;
  const code = `<code class="language-${escapeHtml(name || "text")}">${escapeHtml(text)}</code>`;
  return `<div class="code-block"><div class="bar">${bar}</div><pre>${code}</pre></div>`;
}

const PLAIN_TAG = /<\/?(?:br|b|i|em|strong|sub|sup|kbd|mark|u|s|del|ins|small)\s*\/?>|[&<>"']/gi;

/** Tags without attributes that only format what is in them; all other HTML as text. */
function plainTags(text: string): string {
  return text.replace(PLAIN_TAG, (found) => (found.length > 1 ? found : escapeHtml(found)));
}

function escapeHtml(text: string): string {
  const entities: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
  return text.replace(/[&<>"']/g, (character) => entities[character]!);
}
