import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { isUserName } from "../threadline/document/ids.ts";
import { guessDevice } from "./device_name.ts";
import { later } from "./later.tsx";
import { askToNotify } from "./notifications.ts";
import { notifying, saveIdentity, saveLanguage, saveNotifying, saveTheme, signOut, theme, type Identity, type Theme } from "./settings.ts";
import { language, LANGUAGES, speak, words, type Language } from "./words/words.ts";

const DevicesDialog = later(() => import("./devices_dialog.tsx"));

const THEMES: Theme[] = ["system", "light", "dark"];

/** Name, device, appearance and language. A changed name is another user, with copies of its own. */
export function SettingsDialog({ me, onClose }: { me: Identity; onClose: () => void }): JSX.Element {
  const { app, people, settings } = words();
  const showing = useSignal(false);
  const byName = me.token === me.name;
  const dialog = useRef<HTMLDialogElement>(null);
  const name = useSignal(me.name);
  const device = useSignal(me.device);
  useEffect(() => dialog.current?.showModal(), []);
  if (showing.value) return <DevicesDialog onClose={onClose} />;
  const submit = (event: Event): void => {
    event.preventDefault();
    const given = name.value.trim();
    if (!isUserName(given)) return;
    const next = { ...me, token: byName ? given : me.token, name: given, device: device.value.trim() || guessDevice() };
    if (next.name !== me.name || next.device !== me.device) saveIdentity(next);
    onClose();
  };
  return (
    <dialog ref={dialog} onClose={onClose} aria-labelledby="settings-title">
      <h2 id="settings-title">{settings.title}</h2>
      <form onSubmit={submit}>
        <label class="field">
          {settings.name}
          <input value={name} onInput={(event) => (name.value = event.currentTarget.value)} maxLength={128} required readOnly={!byName} />
          {byName && <small>{settings.changeNameText}</small>}
        </label>
        <label class="field">
          {settings.device}
          <input value={device} onInput={(event) => (device.value = event.currentTarget.value)} maxLength={64} />
        </label>
        <label class="field">
          {settings.theme}
          <select value={theme.value} onChange={(event) => saveTheme(event.currentTarget.value as Theme)}>
            {THEMES.map((option) => (
              <option key={option} value={option}>
                {settings.themes[option]}
              </option>
            ))}
          </select>
        </label>
        <label class="field">
          {settings.language}
          <select value={language.value} onChange={(event) => choose(event.currentTarget.value as Language)}>
            {Object.entries(LANGUAGES).map(([code, { name: label }]) => (
              <option key={code} value={code} lang={code}>
                {label}
              </option>
            ))}
          </select>
        </label>
        <label class="check">
          <input type="checkbox" data-testid="notify" checked={notifying.value} onChange={(event) => void chooseNotify(event.currentTarget)} />
          {settings.notify}
        </label>
        <button class="button" type="button" data-testid="linked-devices" onClick={() => (showing.value = true)}>
          {people.devices.open}
        </button>
        <button class="button" type="button" data-testid="sign-out" onClick={signOut}>
          {people.signIn.out}
        </button>
        <div class="actions">
          <button class="button" type="button" onClick={onClose}>
            {app.cancel}
          </button>
          <button class="button primary" type="submit">
            {app.save}
          </button>
        </div>
      </form>
    </dialog>
  );
}

/** Without the browser's permission the box does not stay checked. */
async function chooseNotify(box: HTMLInputElement): Promise<void> {
  const wanted = box.checked && (await askToNotify());
  saveNotifying(wanted);
  box.checked = wanted;
}

function choose(next: Language): void {
  saveLanguage(next);
  void speak(next);
}
