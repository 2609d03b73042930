import { useComputed, useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { AttachingList } from "./attachments.tsx";
import { shiftCaret, spliceBetween } from "../threadline/document/text_edit.ts";
import { Icon } from "./icons.tsx";
import type { OnBusy } from "../threadline/index.ts";
import { BusyPolicy, Queue } from "./queue.tsx";
import type { SessionModel } from "./session_model.ts";
import { words } from "./words/words.ts";

const TYPING_MS = 3_000;

/** The message in the making. Its text is the draft that follows the user to every device. */
export function Composer({ model }: { model: SessionModel }): JSX.Element {
  const { composer } = words();
  const area = useRef<HTMLTextAreaElement>(null);
  const composing = useRef(false);
  const typing = useTyping(model);
  const text = useSignal(model.draft.value);
  const busy = useComputed(() => model.runs.value.some(({ ended_at }) => ended_at === undefined));
  const onBusy = useSignal<OnBusy>("enqueue");
  const { session } = model;

  useEffect(
    () =>
      model.draft.subscribe((draft) => {
        if (!composing.current) follow(area.current, draft);
        text.value = draft;
      }),
    [model],
  );
  useEffect(() => {
    if (matchMedia("(hover: hover)").matches) area.current?.focus();
  }, [model]);

  const write = (): void => {
    if (composing.current || !area.current) return;
    text.value = area.current.value;
    session.draft.set(area.current.value);
    typing(area.current.value !== "");
  };
  const { attaching } = model;
  const nothing = useComputed(() => text.value.trim() === "" && !attaching.files.value.some(({ attachment }) => attachment));
  const send = (): void => {
    const message = area.current?.value.trim() ?? "";
    if (nothing.value || attaching.busy || !model.canWrite.value) return;
    const attachments = attaching.take();
    const files = attachments.length > 0 ? { attachments } : {};
    model.send(message, { ...files, ...(busy.value ? { on_busy: onBusy.value } : {}) });
    follow(area.current, "");
    text.value = "";
    typing(false);
    area.current?.focus();
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === "Escape" && busy.value) session.stop();
    if (isUndo(event)) {
      event.preventDefault();
      if (event.shiftKey || event.key === "y") session.draft.redo();
      else if (!session.draft.undo() && text.value === "" && model.undoable.value?.message) model.undo();
      return;
    }
    if (event.key === "ArrowUp" && text.value === "" && editLast(model)) return event.preventDefault();
    // While an input method composes, Enter picks a candidate. 229 is what some browsers say instead.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    event.preventDefault();
    send();
  };
  const note = model.ended.value ? composer.ended : model.canWrite.value ? composer.hint : composer.viewer;
  return (
    <div class="composer">
      <div class="column">
        <Queue model={model} />
        {busy.value && model.canWrite.value && <BusyPolicy policy={onBusy} />}
        <AttachingList attaching={attaching} />
        <div class="box">
          <AttachButton model={model} />
          <textarea
            id="composer"
            ref={area}
            data-testid="composer"
            rows={1}
            dir="auto"
            aria-label={composer.label}
            placeholder={composer.placeholder}
            disabled={!model.canWrite.value}
            enterkeyhint="send"
            onInput={write}
            onKeyDown={onKeyDown}
            onPaste={(event) => isText(event.clipboardData) || takeFiles(event, event.clipboardData, model)}
            onCompositionStart={() => (composing.current = true)}
            onCompositionEnd={() => {
              composing.current = false;
              write();
            }}
          />
          {busy.value && (
            <button
              class="send stop"
              type="button"
              data-testid="stop"
              aria-label={composer.stop}
              title={composer.stop}
              onClick={() => session.stop()}
            >
              <Icon name="stop" />
            </button>
          )}
          {(!busy.value || !nothing.value) && (
            <button
              class="send"
              type="button"
              data-testid="send"
              aria-label={composer.send}
              title={composer.send}
              disabled={nothing.value || attaching.busy || !model.canWrite.value}
              onClick={send}
            >
              <Icon name="send" />
            </button>
          )}
        </div>
        <p class="hint">{note}</p>
      </div>
    </div>
  );
}

/** Ctrl or Cmd with Z, also with Shift, and Ctrl with Y: the browser's own history does not know other devices. */
function isUndo({ key, ctrlKey, metaKey, altKey }: KeyboardEvent): boolean {
  return (ctrlKey || metaKey) && !altKey && ["z", "Z", "y"].includes(key);
}

/** Opens the choice of files; the input itself is never seen. */
function AttachButton({ model }: { model: SessionModel }): JSX.Element {
  const { attach } = words();
  const input = useRef<HTMLInputElement>(null);
  const add = (): void => {
    model.attaching.add(input.current?.files ?? []);
    input.current!.value = "";
  };
  return (
    <>
      <input ref={input} type="file" multiple hidden data-testid="attach-input" onChange={add} />
      <button
        class="icon-button attach"
        type="button"
        data-testid="attach"
        aria-label={attach.add}
        title={attach.add}
        disabled={!model.canWrite.value}
        onClick={() => input.current?.click()}
      >
        <Icon name="clip" />
      </button>
    </>
  );
}

/** Office programs put a picture of what was copied beside its words; the words are what is meant. */
function isText(data: DataTransfer | null): boolean {
  return data?.types.includes("text/plain") ?? false;
}

/** Takes files that were pasted or dropped; anything else goes its usual way. */
export function takeFiles(event: Event, data: DataTransfer | null, model: SessionModel): void {
  if (!data || data.files.length === 0 || !model.canWrite.value) return;
  event.preventDefault();
  model.attaching.add(data.files);
}

/** Begins to edit the last message of one's own that is shown; false where there is none. */
function editLast(model: SessionModel): boolean {
  const { user } = model.session;
  const last = model.line.peek().findLast(({ message }) => message.role === "user" && message.author.user === user && message.seq);
  if (last) model.editing.value = last.message.id;
  return last !== undefined;
}

/** Shows `draft` in the field without moving the caret from the words it stands at. */
function follow(area: HTMLTextAreaElement | null, draft: string): void {
  const splice = area && spliceBetween(area.value, draft);
  if (!splice) return;
  const [start, end] = [shiftCaret(area.selectionStart, splice), shiftCaret(area.selectionEnd, splice)];
  area.value = draft;
  if (document.activeElement === area) area.setSelectionRange(start, end);
}

/** Tells the others that this device is typing, until it has not for a while. */
function useTyping(model: SessionModel): (typing: boolean) => void {
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const now = useRef(false);
  const say = (typing: boolean): void => {
    clearTimeout(timer.current);
    if (typing) timer.current = setTimeout(() => say(false), TYPING_MS);
    if (typing === now.current) return;
    now.current = typing;
    model.session.presence.set({ typing: typing || null });
  };
  useEffect(() => () => clearTimeout(timer.current), []);
  return say;
}
