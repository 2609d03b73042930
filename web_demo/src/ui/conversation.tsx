import type { JSX } from "preact";
import { titleOf } from "./app_model.ts";
import { Banner } from "./banner.tsx";
import { Composer } from "./composer.tsx";
import { useDropping } from "./dropping.ts";
import { Icon } from "./icons.tsx";
import { PresenceChips } from "./presence_chips.tsx";
import { SavedWord } from "./saved_word.tsx";
import type { SessionModel } from "./session_model.ts";
import { SignInNotice } from "./sign_in_notice.tsx";
import { Transcript } from "./transcript.tsx";
import { words } from "./words/words.ts";

export interface ConversationProps {
  model: SessionModel;
  panelOpen: boolean;
  onPanel: () => void;
}

export function Conversation({ model, panelOpen, onPanel }: ConversationProps): JSX.Element {
  const { attach, panel, sessions } = words();
  const dropping = useDropping(model);
  return (
    <main class="conversation" {...dropping.handlers}>
      {dropping.over.value && <div class="drop-here">{attach.drop}</div>}
      <header class="topbar">
        <a class="icon-button back" href="#/" aria-label={sessions.back}>
          <Icon name="back" />
        </a>
        <div class="heading">
          <h1 dir="auto" data-testid="title">
            {titleOf(model) || sessions.untitled}
          </h1>
          <SavedWord model={model} />
        </div>
        <PresenceChips model={model} />
        <button
          class="icon-button"
          type="button"
          data-testid="toggle-panel"
          aria-label={panel.open}
          aria-expanded={panelOpen}
          onClick={onPanel}
        >
          <Icon name="panel" />
        </button>
      </header>
      <PresenceChips model={model} row />
      <SignInNotice />
      <Banner model={model} />
      <Transcript model={model} />
      <Composer model={model} />
    </main>
  );
}
