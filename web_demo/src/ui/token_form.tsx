import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { stay_signed_in, who_is } from "../threadline/index.ts";
import { guessDevice } from "./device_name.ts";
import { identity, saveIdentity, type Identity } from "./settings.ts";
import { words } from "./words/words.ts";

interface TokenFormProps {
  /** Where somebody is signed in: it has to be the same person again. */
  same?: string;
  onDone?: () => void;
}

/** Sign-in with a token. It may be exchanged for one of this device, which lasts and can be signed off. */
export default function TokenForm({ same = "", onDone }: TokenFormProps): JSX.Element {
  const { people, welcome } = words();
  const token = useSignal("");
  const device = useSignal(identity.peek()?.device ?? guessDevice());
  const stay = useSignal(false);
  const busy = useSignal(false);
  const failed = useSignal("");
  const submit = (event: Event): void => {
    event.preventDefault();
    busy.value = true;
    signedIn(token.value.trim(), device.value.trim() || guessDevice(), stay.value, same)
      .then((found) => {
        saveIdentity(found);
        onDone?.();
      })
      .catch((error: unknown) => (failed.value = error instanceof Error ? error.message : people.failed))
      .finally(() => (busy.value = false));
  };
  return (
    <form class="token-form" onSubmit={submit}>
      <p>{people.signIn.text}</p>
      <label class="field">
        {people.signIn.token}
        <input
          type="password"
          data-testid="token-input"
          value={token}
          onInput={(event) => (token.value = event.currentTarget.value)}
          autocomplete="off"
          spellcheck={false}
          required
        />
        <small>{people.signIn.tokenHint}</small>
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
      <label class="check">
        <input type="checkbox" data-testid="stay" checked={stay} onChange={(event) => (stay.value = event.currentTarget.checked)} />
        <span>
          {people.signIn.stay}
          <small>{people.signIn.stayText}</small>
        </span>
      </label>
      {failed.value && (
        <p class="refused" role="alert" data-testid="sign-in-failed">
          {failed.value}
        </p>
      )}
      <button class="button primary" data-testid="sign-in-go" type="submit" disabled={busy.value || !token.value.trim()}>
        {people.signIn.go}
      </button>
    </form>
  );
}

/** Throws where the token is not taken, or is somebody else's than `same`. */
async function signedIn(token: string, device: string, stay: boolean, same: string): Promise<Identity> {
  const me = await who_is(location.origin, token);
  if (same && me.user !== same) throw new Error(words().people.signIn.wrongUser(me.user));
  if (stay && me.proof !== "device") {
    const linked = await stay_signed_in(location.origin, token, device);
    return { token: linked.token, name: linked.user, device };
  }
  return me.expires_s === null ? { token, name: me.user, device } : { token, name: me.user, device, expires_s: me.expires_s };
}
