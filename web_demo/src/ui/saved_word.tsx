import type { JSX } from "preact";
import { Icon, type IconName } from "./icons.tsx";
import type { SessionModel } from "./session_model.ts";
import { words } from "./words/words.ts";

const ICONS: Record<string, IconName> = { saved: "check", saving: "cloud", offline: "offline", failed: "warning" };

/** Saved, Saving…, Offline with n changes waiting, Could not save. */
export function SavedWord({ model }: { model: SessionModel }): JSX.Element {
  const { ended, saved } = words();
  const { word } = model.saved.value;
  const late = isLate(model);
  return (
    <span
      class="saved-word"
      data-testid="saved"
      data-word={word}
      data-late={late}
      title={late ? ended.storeAway : saved.explain[word]}
      role="status"
    >
      <Icon name={late ? "warning" : ICONS[word]!} />
      {textOf(model)}
    </span>
  );
}

function isLate(model: SessionModel): boolean {
  return model.saved.value.word === "saving" && model.savingLate.value;
}

function textOf(model: SessionModel): string {
  const { saved } = words();
  const { word, waiting } = model.saved.value;
  if (word === "offline") return waiting > 0 ? saved.offlineWith(waiting) : saved.offline;
  if (isLate(model)) return saved.late;
  if (word === "saving" && waiting === 0 && !model.synced.value) return saved.connecting;
  return saved[word];
}
