import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { Icon } from "./icons.tsx";
import { later } from "./later.tsx";
import { words } from "./words/words.ts";

const ContinueDialog = later(() => import("./continue_dialog.tsx"));
const ShareDialog = later(() => import("./share_dialog.tsx"));

/** From this conversation to one's phone, or to other people. */
export function PeopleActions({ id }: { id: string }): JSX.Element {
  const { people } = words();
  const shown = useSignal<"continue" | "share" | undefined>(undefined);
  const close = (): void => void (shown.value = undefined);
  return (
    <div class="details-actions">
      <button class="button" type="button" data-testid="continue" aria-haspopup="dialog" onClick={() => (shown.value = "continue")}>
        <Icon name="device" />
        {people.link.open}
      </button>
      <button class="button" type="button" data-testid="share" aria-haspopup="dialog" onClick={() => (shown.value = "share")}>
        <Icon name="people" />
        {people.share.open}
      </button>
      {shown.value === "continue" && <ContinueDialog session={id} onClose={close} />}
      {shown.value === "share" && <ShareDialog id={id} onClose={close} />}
    </div>
  );
}
