import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { DeviceLink, DeviceLinkView } from "../threadline/index.ts";
import { client } from "./app_model.ts";
import { copyText } from "./clipboard.ts";
import { QrCode } from "./qr_code.tsx";
import { entryUrl } from "./route.ts";
import { words } from "./words/words.ts";

interface ContinueDialogProps {
  /** Where the other device goes on; empty for the list. */
  session: string;
  onClose: () => void;
}

/** "Continue on phone": a code to scan, then the question whether that device is one's own. */
export default function ContinueDialog({ session, onClose }: ContinueDialogProps): JSX.Element {
  const { app, people } = words();
  const dialog = useRef<HTMLDialogElement>(null);
  const link = useSignal<DeviceLink | undefined>(undefined);
  const view = useSignal<DeviceLinkView | undefined>(undefined);
  const failed = useSignal("");
  const round = useSignal(0);
  useEffect(() => dialog.current?.showModal(), []);
  useEffect(() => {
    const leaving = new AbortController();
    const begin = async (): Promise<void> => {
      const made = await client.peek()?.devices.link(session);
      if (!made) return;
      link.value = made;
      view.value = made.view;
      await follow(made, leaving.signal, () => (view.value = made.view));
    };
    failed.value = "";
    view.value = undefined;
    begin().catch((error: unknown) => !leaving.signal.aborted && (failed.value = textOf(error)));
    return () => {
      leaving.abort();
      const left = link.peek();
      if (left?.view.stage === "waiting") void left.refuse().catch(() => undefined);
    };
  }, [round.value]);
  const decide = (how: "confirm" | "refuse"): void => {
    const current = link.peek();
    if (!current) return;
    current[how]()
      .then(() => (view.value = { ...current.view }))
      .catch((error: unknown) => (failed.value = textOf(error)));
  };
  return (
    <dialog ref={dialog} onClose={onClose} aria-labelledby="continue-title" data-testid="continue-dialog">
      <h2 id="continue-title">{people.link.title}</h2>
      {failed.value ? (
        <p role="alert">{failed.value}</p>
      ) : (
        link.value && view.value && <Stage link={link.value} view={view.value} onDecide={decide} />
      )}
      <div class="actions">
        {(failed.value || view.value?.stage === "refused") && (
          <button class="button primary" type="button" data-testid="fresh-code" onClick={() => (round.value += 1)}>
            {people.link.fresh}
          </button>
        )}
        <button class="button" type="button" data-testid="continue-close" onClick={onClose}>
          {app.close}
        </button>
      </div>
    </dialog>
  );
}

/** Asks how a link stands until it is decided, or nobody looks any more. */
async function follow(link: DeviceLink, leaving: AbortSignal, seen: () => void): Promise<void> {
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, link.view.interval_s * 1000));
    if (leaving.aborted || link.view.stage === "confirmed" || link.view.stage === "refused") return;
    await link.look();
    seen();
  }
}

interface StageProps {
  link: DeviceLink;
  view: DeviceLinkView;
  onDecide: (how: "confirm" | "refuse") => void;
}

function Stage({ link, view, onDecide }: StageProps): JSX.Element {
  const { people } = words();
  switch (view.stage) {
    case "waiting":
      return <Waiting code={link.code} />;
    case "claimed":
      return (
        <div class="choices-column" role="alertdialog" aria-label={people.link.compare}>
          <p dir="auto" data-testid="link-device">
            <strong>{people.link.wants(view.device)}</strong>
          </p>
          <p>{people.link.compare}</p>
          <Compare number={view.number} />
          <div class="actions">
            <button class="button" type="button" data-testid="link-no" onClick={() => onDecide("refuse")}>
              {people.link.no}
            </button>
            <button class="button primary" type="button" data-testid="link-yes" onClick={() => onDecide("confirm")}>
              {people.link.yes}
            </button>
          </div>
        </div>
      );
    case "confirmed":
      return (
        <p role="status" data-testid="link-done" dir="auto">
          {people.link.done(view.device)}
        </p>
      );
    case "refused":
      return <p role="status">{people.link.refused}</p>;
  }
}

function Waiting({ code }: { code: string }): JSX.Element {
  const { app, people } = words();
  const copied = useSignal(false);
  const url = entryUrl({ kind: "link", code });
  const local = ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname);
  return (
    <div class="linking">
      <p>{people.link.scan}</p>
      <QrCode text={url} label={people.link.title} />
      <p>
        {people.link.code} <code data-testid="link-code">{code}</code>
      </p>
      {local && <p class="note">{people.link.local}</p>}
      <button class="button" type="button" onClick={() => void copyText(url).then(() => (copied.value = true))}>
        {copied.value ? app.copied : people.link.copy}
      </button>
      <p role="status" class="note">
        {people.link.waiting}
      </p>
    </div>
  );
}

/** The number that both devices show. */
export function Compare({ number }: { number: string }): JSX.Element {
  return (
    <output class="compare" aria-label={words().people.link.number} data-testid="link-number">
      {number}
    </output>
  );
}

function textOf(error: unknown): string {
  const { link } = words().people;
  if (error instanceof Error && "code" in error && error.code === "link_not_found") return link.late;
  return error instanceof Error ? error.message : String(error);
}
