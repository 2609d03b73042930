import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { isUserName } from "../threadline/document/ids.ts";
import { guessDevice } from "./device_name.ts";
import { identity, saveIdentity } from "./settings.ts";
import { words } from "./words/words.ts";

/** The first visit: a name and a device; the same name elsewhere continues the same conversations. */
export function Welcome(): JSX.Element {
  const { app, welcome } = words();
  const name = useSignal(identity.value?.name ?? "");
  const device = useSignal(identity.value?.device ?? guessDevice());
  const valid = isUserName(name.value.trim());
  const submit = (event: Event): void => {
    event.preventDefault();
    if (!valid) return;
    const given = name.value.trim();
    saveIdentity({ token: given, name: given, device: device.value.trim() || guessDevice() });
  };
  return (
    <main class="welcome">
      <form onSubmit={submit}>
        <div class="brand">
          <img src="./icon.svg" alt="" />
          {app.name}
        </div>
        <div>
          <h1>{welcome.title}</h1>
          <p>{welcome.text}</p>
        </div>
        <label class="field">
          {welcome.name}
          <input
            data-testid="name-input"
            value={name}
            onInput={(event) => (name.value = event.currentTarget.value)}
            autocomplete="nickname"
            autocapitalize="none"
            spellcheck={false}
            maxLength={128}
            aria-invalid={name.value !== "" && !valid}
            required
            autofocus
          />
          <small>{welcome.nameHint}</small>
        </label>
        <label class="field">
          {welcome.device}
          <input
            data-testid="device-input"
            value={device}
            onInput={(event) => (device.value = event.currentTarget.value)}
            autocomplete="off"
            maxLength={64}
          />
          <small>{welcome.deviceHint}</small>
        </label>
        <button class="button primary" data-testid="start" type="submit" disabled={!valid}>
          {welcome.go}
        </button>
      </form>
    </main>
  );
}
