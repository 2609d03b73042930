import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { Key } from "../threadline/index.ts";
import { client } from "./app_model.ts";
import ContinueDialog from "./continue_dialog.tsx";
import { signOut } from "./settings.ts";
import { language, words } from "./words/words.ts";

/** The devices that are signed in as this person, and the way to sign one off. */
export default function DevicesDialog({ onClose }: { onClose: () => void }): JSX.Element {
  const { app, people } = words();
  const dialog = useRef<HTMLDialogElement>(null);
  const keys = useSignal<Key[] | undefined>(undefined);
  const failed = useSignal("");
  const linking = useSignal(false);
  const asking = useSignal<Key | undefined>(undefined);
  const load = async (): Promise<void> => {
    keys.value = await client.peek()?.devices.list();
  };
  const attempt = (work: Promise<unknown>): void => {
    work.then(() => (failed.value = "")).catch((error: unknown) => (failed.value = error instanceof Error ? error.message : people.failed));
  };
  useEffect(() => {
    dialog.current?.showModal();
    attempt(load());
  }, [linking.value]);
  const revoke = (key: Key): void => {
    asking.value = undefined;
    if (key.current) onClose();
    attempt(
      (async () => {
        await client.peek()?.devices.revoke(key.id);
        if (key.current) signOut();
        else await load();
      })(),
    );
  };
  if (linking.value) return <ContinueDialog session="" onClose={() => (linking.value = false)} />;
  return (
    <dialog ref={dialog} onClose={onClose} aria-labelledby="devices-title" data-testid="devices-dialog">
      <h2 id="devices-title">{people.devices.title}</h2>
      {keys.value?.length === 0 && <p>{people.devices.none}</p>}
      <ul class="people">
        {keys.value?.map((key) => (
          <li key={key.id} data-testid="linked-device">
            <span class="names">
              <span dir="auto">{key.label}</span>
              <small>{aboutOf(key)}</small>
            </span>
            <button class="button" type="button" aria-label={people.devices.revokeOne(key.label)} onClick={() => (asking.value = key)}>
              {people.devices.revoke}
            </button>
          </li>
        ))}
      </ul>
      {asking.value && (
        <div class="choices-column" role="alertdialog" aria-label={people.devices.revokeOne(asking.value.label)}>
          <p dir="auto">{people.devices.sure(asking.value.label)}</p>
          <div class="actions">
            <button class="button" type="button" onClick={() => (asking.value = undefined)}>
              {app.cancel}
            </button>
            <button class="button danger" type="button" data-testid="revoke-yes" onClick={() => revoke(asking.value!)}>
              {people.devices.revoke}
            </button>
          </div>
        </div>
      )}
      {failed.value && (
        <p class="refused" role="alert">
          {failed.value}
        </p>
      )}
      <div class="actions">
        <button class="button" type="button" data-testid="link-another" onClick={() => (linking.value = true)}>
          {people.link.open}
        </button>
        <button class="button" type="button" onClick={onClose}>
          {app.close}
        </button>
      </div>
    </dialog>
  );
}

function aboutOf(key: Key): string {
  const { devices } = words().people;
  const since = devices.since(new Date(key.created_s * 1000).toLocaleDateString(language.value));
  return [key.current && devices.current, key.kind === "service" && devices.key, since].filter(Boolean).join(" · ");
}
