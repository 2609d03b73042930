import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { words } from "./words/words.ts";

/** What the keyboard can do here. */
export default function KeysDialog({ onClose }: { onClose: () => void }): JSX.Element {
  const { app, keys } = words();
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  const rows: [string[], string][] = [
    [["Ctrl", "K"], keys.find],
    [["Enter"], keys.send],
    [["Shift", "Enter"], keys.line],
    [["↑"], keys.edit],
    [["Ctrl", "Z"], keys.undo],
    [["Esc"], keys.stop],
    [["?"], keys.help],
  ];
  return (
    <dialog ref={dialog} onClose={onClose} aria-labelledby="keys-title" data-testid="keys">
      <h2 id="keys-title">{keys.title}</h2>
      <dl class="keys">
        {rows.map(([names, does]) => [
          <dt key={does}>
            {names.map((name) => (
              <kbd key={name}>{name}</kbd>
            ))}
          </dt>,
          <dd key={`${does} text`}>{does}</dd>,
        ])}
      </dl>
      <div class="actions">
        <button class="button" type="button" onClick={onClose}>
          {app.close}
        </button>
      </div>
    </dialog>
  );
}
