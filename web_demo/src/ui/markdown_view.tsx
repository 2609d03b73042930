import type { JSX } from "preact";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { render } from "./markdown.ts";

/** Text as safe HTML. Once it is complete, code gets its colours and formulas are drawn, by scripts that are loaded then. */
export function Markdown({ text, streaming }: { text: string; streaming: boolean }): JSX.Element {
  const root = useRef<HTMLDivElement>(null);
  const html = useMemo(() => ({ __html: render(text) }), [text]);
  useEffect(() => {
    if (streaming) return;
    if (root.current?.querySelector("pre code")) {
      void import("./highlight.ts").then(({ highlightWithin }) => root.current && highlightWithin(root.current));
    }
    if (root.current?.querySelector("code.math")) {
      void import("./math.ts").then(({ typesetWithin }) => root.current && typesetWithin(root.current));
    }
  }, [html, streaming]);
  return <div class={streaming ? "markdown streaming" : "markdown"} dir="auto" ref={root} data-testid="text" dangerouslySetInnerHTML={html} />;
}
