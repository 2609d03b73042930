import type { JSX } from "preact";
import { Icon, type IconName } from "./icons.tsx";
import type { SessionModel } from "./session_model.ts";
import { words } from "./words/words.ts";

const ICONS: Record<string, IconName> = { saved: "check", saving: "cloud", offline: "offline", failed: "warning" };

/** Saved, Saving…, Offline with n changes waiting, Could not save. */
export function SavedWord({ model }: { model: SessionModel }): JSX.Element {
  const { word } = model.saved.value;
  return (
    <span class="saved-word" data-testid="saved" data-word={word} title={words().saved.explain[word]} role="status">
      <Icon name={ICONS[word]!} />
      {textOf(model)}
    </span>
  );
}

function textOf(model: SessionModel): string {
  const { saved } = words();
  const { word, waiting } = model.saved.value;
  if (word === "offline") return waiting > 0 ? saved.offlineWith(waiting) : saved.offline;
  if (word === "saving" && waiting === 0 && !model.synced.value) return saved.connecting;
  return saved[word];
}
