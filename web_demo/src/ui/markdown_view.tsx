import type { JSX } from "preact";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { render } from "./markdown.ts";

/** Text as safe HTML. Code gets its colours when the text is complete, from a script that is loaded then. */
export function Markdown({ text, streaming }: { text: string; streaming: boolean }): JSX.Element {
  const root = useRef<HTMLDivElement>(null);
  const html = useMemo(() => ({ __html: render(text) }), [text]);
  useEffect(() => {
    if (streaming || !root.current?.querySelector("pre code")) return;
    void import("./highlight.ts").then(({ highlightWithin }) => root.current && highlightWithin(root.current));
  }, [html, streaming]);
  return <div class={streaming ? "markdown streaming" : "markdown"} dir="auto" ref={root} data-testid="text" dangerouslySetInnerHTML={html} />;
}
