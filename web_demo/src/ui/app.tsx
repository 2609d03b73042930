import { useComputed, useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useShortcuts } from "./shortcuts.ts";
import { open, openError, opening } from "./app_model.ts";
import { Conversation } from "./conversation.tsx";
import { later } from "./later.tsx";
import { Panel } from "./panel.tsx";
import { entry, sessionId } from "./route.ts";
import type { SessionModel } from "./session_model.ts";
import { SessionList } from "./session_list.tsx";
import { identity, panelWasOpen, savePanel } from "./settings.ts";
import { SignIn } from "./sign_in.tsx";
import { words } from "./words/words.ts";

const Timeline = later(() => import("./timeline.tsx"));
const GlassBox = later(() => import("./glass_box.tsx"));
const LinkPage = later(() => import("./link_page.tsx"));
const JoinPage = later(() => import("./join_page.tsx"));
const KeysDialog = later(() => import("./keys_dialog.tsx"));

const WIDE = "(min-width: 1101px)";

export function App(): JSX.Element {
  const panelOpen = useSignal(matchMedia(WIDE).matches && panelWasOpen());
  const classes = useComputed(() => {
    const panel = panelOpen.value && open.value;
    return `app${sessionId.value ? " in-session" : ""}${panel ? " with-panel" : ""}`;
  });
  const helping = useShortcuts();
  const entered = entry.value;
  if (entered?.kind === "link") return <LinkPage code={entered.code} />;
  if (!identity.value) return <SignIn />;
  if (entered) return <JoinPage code={entered.code} />;
  const togglePanel = (): void => {
    panelOpen.value = !panelOpen.value;
    savePanel(panelOpen.value);
  };
  const model = open.value;
  return (
    <div class={classes} role={sessionId.value ? undefined : "main"}>
      {model && (
        <a class="skip" href="#composer" onClick={focusComposer}>
          {words().app.skip}
        </a>
      )}
      <SessionList />
      {model ? (
        <Conversation key={model.session.id} model={model} panelOpen={panelOpen.value} onPanel={togglePanel} />
      ) : (
        <Nothing />
      )}
      {model && panelOpen.value && (
        <button class="scrim" type="button" tabIndex={-1} aria-label={words().app.close} onClick={togglePanel} />
      )}
      {helping.value && <KeysDialog onClose={() => (helping.value = false)} />}
      {model && panelOpen.value && <Panel key={`panel ${model.session.id}`} model={model} onClose={togglePanel} />}
      {model && model.drawer.value === "timeline" && <Timeline key={`timeline ${model.session.id}`} {...drawerOf(model)} />}
      {model && model.drawer.value === "glass" && <GlassBox key={`glass ${model.session.id}`} {...drawerOf(model)} />}
    </div>
  );
}

function drawerOf(model: SessionModel): { model: SessionModel; onClose: () => void } {
  return { model, onClose: () => (model.drawer.value = undefined) };
}

function focusComposer(event: Event): void {
  event.preventDefault();
  document.querySelector<HTMLElement>("#composer")?.focus();
}

function Nothing(): JSX.Element {
  const { app, sessions } = words();
  return (
    <div class="conversation" role={sessionId.value ? "main" : undefined}>
      <div class="placeholder">
        <img src="./icon.svg" alt="" />
        {openError.value ? <p role="alert">{openError.value}</p> : <p>{opening.value ? app.loading : sessions.pick}</p>}
      </div>
    </div>
  );
}
