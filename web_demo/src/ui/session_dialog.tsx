import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { client, leaveSession, open, refreshList } from "./app_model.ts";
import { copyText } from "./clipboard.ts";
import { download, downloadText } from "./download.ts";
import { toMarkdown } from "./markdown_export.ts";
import { forgetSession, rememberSession } from "./recent.ts";
import { sessionUrl } from "./route.ts";
import type { Client, Session } from "../threadline/index.ts";
import { words } from "./words/words.ts";

interface SessionDialogProps {
  id: string;
  title: string;
  onClose: () => void;
}

/** Rename, export, share the link, delete: what one does with a conversation as a whole. */
export default function SessionDialog({ id, title, onClose }: SessionDialogProps): JSX.Element {
  const { app, manage } = words();
  const dialog = useRef<HTMLDialogElement>(null);
  const deleting = useSignal(false);
  const failed = useSignal("");
  useEffect(() => dialog.current?.showModal(), []);
  const attempt = (action: (client: Client) => Promise<unknown>, closes = true): void => {
    const current = client.peek();
    if (!current) return;
    action(current)
      .then(() => closes && onClose())
      .catch((error: unknown) => (failed.value = error instanceof Error ? error.message : String(error)));
  };
  const heading = deleting.value ? manage.removeTitle(title) : manage.title;
  return (
    <dialog ref={dialog} onClose={onClose} aria-labelledby="session-dialog" data-testid="session-dialog">
      <h2 id="session-dialog" dir="auto">
        {heading}
      </h2>
      {deleting.value ? (
        <div class="choices-column">
          <p>{manage.removeText}</p>
          <div class="actions">
            <button class="button" type="button" onClick={() => (deleting.value = false)}>
              {app.cancel}
            </button>
            <button
              class="button danger"
              type="button"
              data-testid="delete-for-good"
              onClick={() => attempt((current) => remove(current, id))}
            >
              {manage.removeYes}
            </button>
          </div>
        </div>
      ) : (
        <div class="choices-column">
          <RenameForm title={title} onRename={(next) => attempt((current) => rename(current, id, next))} />
          <CopyLink id={id} />
          <button
            class="button"
            type="button"
            data-testid="export-json"
            onClick={() => attempt((current) => withSession(current, id, exportJson))}
          >
            {manage.exportJson}
          </button>
          <button
            class="button"
            type="button"
            data-testid="export-markdown"
            onClick={() => attempt((current) => withSession(current, id, exportMarkdown))}
          >
            {manage.exportMarkdown}
          </button>
          <button class="button danger" type="button" data-testid="delete" onClick={() => (deleting.value = true)}>
            {manage.remove}
          </button>
          <div class="actions">
            <button class="button" type="button" onClick={onClose}>
              {app.close}
            </button>
          </div>
        </div>
      )}
      {failed.value && (
        <p class="refused" role="alert">
          {manage.failed(failed.value)}
        </p>
      )}
    </dialog>
  );
}

function RenameForm({ title, onRename }: { title: string; onRename: (title: string) => void }): JSX.Element {
  const { manage } = words();
  const name = useSignal(title);
  const submit = (event: Event): void => {
    event.preventDefault();
    if (name.value.trim()) onRename(name.value.trim());
  };
  return (
    <form onSubmit={submit} class="rename">
      <label class="field">
        {manage.name}
        <input
          data-testid="rename"
          dir="auto"
          value={name}
          maxLength={200}
          onInput={(event) => (name.value = event.currentTarget.value)}
        />
      </label>
      <button class="button primary" type="submit" disabled={!name.value.trim()}>
        {manage.rename}
      </button>
    </form>
  );
}

function CopyLink({ id }: { id: string }): JSX.Element {
  const { app, panel } = words();
  const copied = useSignal(false);
  const copy = (): void => void copyText(sessionUrl(id)).then(() => (copied.value = true));
  return (
    <button class="button" type="button" onClick={copy}>
      {copied.value ? app.copied : panel.link}
    </button>
  );
}

/** The session as it is open on this page, or opened for as long as `use` takes. */
async function withSession(current: Client, id: string, use: (session: Session) => Promise<void> | void): Promise<void> {
  const session = await current.open(id);
  try {
    if (session.isEmpty) await session.joined();
    await use(session);
  } finally {
    if (open.peek()?.session !== session) await current.close_session(session);
  }
}

/** The document has the title, so that it is there offline and on every device; the catalogue hears of it beside. */
async function rename(current: Client, id: string, title: string): Promise<void> {
  await withSession(current, id, async (session) => {
    session.title = title;
    if (open.peek()?.session !== session) await session.saved();
  });
  rememberSession(current.user, id, title);
  await current.sessions.rename(id, title).catch(() => undefined);
  await refreshList();
}

async function remove(current: Client, id: string): Promise<void> {
  await current.sessions.delete(id);
  await leaveSession(id);
  forgetSession(current.user, id);
  await current.forget(id);
  await refreshList();
}

function exportJson(session: Session): void {
  download(`${session.id}.json`, session.export());
}

function exportMarkdown(session: Session): void {
  downloadText(`${session.id}.md`, toMarkdown(session.export()), "text/markdown");
}
