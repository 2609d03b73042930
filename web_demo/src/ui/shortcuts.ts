/** Keys of the page as a whole: Ctrl or Cmd with K finds a conversation, with Z takes back, `?` shows the keys. */

import { useSignal, type Signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { open } from "./app_model.ts";
import { goToList, sessionId } from "./route.ts";

const PHONE = "(max-width: 760px)";

/** The signal says whether the list of keys is open. */
export function useShortcuts(): Signal<boolean> {
  const helping = useSignal(false);
  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent): void => {
      if (event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey) && !event.shiftKey) {
        event.preventDefault();
        focusSearch();
      } else if (event.key === "z" && (event.ctrlKey || event.metaKey) && !event.shiftKey && !isWriting(event.target)) {
        if (open.peek()?.undo()) event.preventDefault();
      } else if (event.key === "?" && !isWriting(event.target)) {
        event.preventDefault();
        helping.value = true;
      }
    };
    addEventListener("keydown", onKeyDown);
    return () => removeEventListener("keydown", onKeyDown);
  }, []);
  return helping;
}

/** On a phone the list, and with it the search, is another page. */
function focusSearch(): void {
  if (sessionId.peek() && matchMedia(PHONE).matches) goToList();
  requestAnimationFrame(() => document.querySelector<HTMLInputElement>("#search")?.focus());
}

function isWriting(target: EventTarget | null): boolean {
  return target instanceof Element && target.closest("input, textarea, select, dialog") !== null;
}
