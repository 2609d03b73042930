/** Files that are dragged over the conversation and dropped there. */

import { useSignal, type Signal } from "@preact/signals";
import { takeFiles } from "./composer.tsx";
import type { SessionModel } from "./session_model.ts";

interface Dropping {
  /** Whether files hover over the conversation. */
  over: Signal<boolean>;
  handlers: Record<"onDragOver" | "onDragLeave" | "onDrop", (event: DragEvent) => void>;
}

export function useDropping(model: SessionModel): Dropping {
  const over = useSignal(false);
  return {
    over,
    handlers: {
      onDragOver(event) {
        if (!hasFiles(event)) return;
        // A file that nobody takes would be opened by the browser, in place of the page.
        event.preventDefault();
        over.value = model.session.canWrite;
      },
      onDragLeave(event) {
        const into = event.relatedTarget;
        if (!(into instanceof Node) || !(event.currentTarget as Element).contains(into)) over.value = false;
      },
      onDrop(event) {
        over.value = false;
        if (hasFiles(event)) event.preventDefault();
        takeFiles(event, event.dataTransfer, model);
      },
    },
  };
}

function hasFiles(event: DragEvent): boolean {
  return event.dataTransfer?.types.includes("Files") ?? false;
}
