import "./styles/base.css";
import "./styles/layout.css";
import "./styles/chat.css";
import "./styles/attachments.css";
import "./styles/markdown.css";
import "./styles/panel.css";
import "./styles/people.css";
import { render } from "preact";
import { App } from "./app.tsx";
import { startAppearance } from "./appearance.ts";
import { open, startApp } from "./app_model.ts";
import { startRouting } from "./route.ts";

declare global {
  interface Window {
    /** For tests and the curious: the content digest of the open session, by which replicas are compared. */
    threadline: { digest: () => string | undefined };
  }
}

window.threadline = { digest: () => open.peek()?.session.digest() };

await startAppearance();

if (import.meta.env.PROD && "serviceWorker" in navigator) {
  void navigator.serviceWorker.register("./service_worker.js").catch(() => undefined);
}

startRouting();
startApp();
render(<App />, document.getElementById("app")!);
