import "./styles/base.css";
import "./styles/layout.css";
import "./styles/chat.css";
import "./styles/attachments.css";
import "./styles/markdown.css";
import "./styles/panel.css";
import { effect } from "@preact/signals";
import { render } from "preact";
import { App } from "./app.tsx";
import { open, startApp } from "./app_model.ts";
import { startRouting } from "./route.ts";
import { savedLanguage, theme } from "./settings.ts";
import { LANGUAGES, preferredLanguage, speak, type Language } from "./words/words.ts";

declare global {
  interface Window {
    /** For tests and the curious: the content digest of the open session, by which replicas are compared. */
    threadline: { digest: () => string | undefined };
  }
}

window.threadline = { digest: () => open.peek()?.session.digest() };

const dark = matchMedia("(prefers-color-scheme: dark)");

function applyTheme(): void {
  const wanted = theme.value === "system" ? (dark.matches ? "dark" : "light") : theme.value;
  document.documentElement.dataset["theme"] = wanted;
}

dark.addEventListener("change", applyTheme);
effect(applyTheme);

const remembered = savedLanguage();
const language: Language = remembered && remembered in LANGUAGES ? remembered : preferredLanguage();
await speak(language).catch(() => undefined);

if (import.meta.env.PROD && "serviceWorker" in navigator) {
  void navigator.serviceWorker.register("./service_worker.js").catch(() => undefined);
}

startRouting();
startApp();
render(<App />, document.getElementById("app")!);
