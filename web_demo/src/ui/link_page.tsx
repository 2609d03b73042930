import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { link_device } from "../threadline/index.ts";
import { guessDevice } from "./device_name.ts";
import { entry, goTo, goToList } from "./route.ts";
import { identity, saveIdentity } from "./settings.ts";
import { words } from "./words/words.ts";

/** The other end of "Continue on phone": this device uses the code, shows a number, and waits to be let in. */
export default function LinkPage({ code: given }: { code: string }): JSX.Element {
  const { app, people, welcome } = words();
  const code = useSignal(given);
  const device = useSignal(identity.peek()?.device ?? guessDevice());
  const number = useSignal("");
  const failed = useSignal("");
  const leaving = useRef(new AbortController());
  useEffect(() => () => leaving.current.abort(), []);
  const submit = (event: Event): void => {
    event.preventDefault();
    failed.value = "";
    const name = device.value.trim() || guessDevice();
    link_device(location.origin, code.value.trim(), name, (shown) => (number.value = shown), leaving.current.signal)
      .then(({ token, user, session }) => {
        if (session) goTo(session);
        else goToList();
        entry.value = undefined;
        saveIdentity({ token, name: user, device: name });
      })
      .catch((error: unknown) => {
        number.value = "";
        failed.value = textOf(error);
      });
  };
  return (
    <main class="welcome" data-testid="link-page">
      <form onSubmit={submit}>
        <div class="brand">
          <img src="./icon.svg" alt="" />
          {app.name}
        </div>
        <h1>{people.link.here}</h1>
        {number.value ? (
          <div class="linking" role="status">
            <p>{people.link.confirm}</p>
            <output class="compare" data-testid="link-number" aria-label={people.link.number}>
              {number.value}
            </output>
          </div>
        ) : (
          <>
            <p>{people.link.hereText}</p>
            {!given && (
              <label class="field">
                {people.link.code}
                <input
                  data-testid="code-input"
                  value={code}
                  onInput={(event) => (code.value = event.currentTarget.value)}
                  autocomplete="one-time-code"
                  autocapitalize="characters"
                  spellcheck={false}
                  maxLength={32}
                  required
                />
              </label>
            )}
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
            {failed.value && (
              <p class="refused" role="alert" data-testid="link-failed">
                {failed.value}
              </p>
            )}
            <button class="button primary" data-testid="link-use" type="submit" disabled={!code.value.trim()}>
              {people.link.use}
            </button>
            <button class="button" type="button" onClick={() => (entry.value = undefined)}>
              {app.cancel}
            </button>
          </>
        )}
      </form>
    </main>
  );
}

function textOf(error: unknown): string {
  const { people } = words();
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const known: Record<string, string> = {
    expired_token: people.link.wrong,
    access_denied: people.link.denied,
    too_many_requests: people.link.slow,
  };
  return known[code] ?? people.failed;
}
