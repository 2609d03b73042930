import { signal, useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { later } from "./later.tsx";
import { identity } from "./settings.ts";
import { words } from "./words/words.ts";

const TokenForm = later(() => import("./token_form.tsx"));

const BEFORE_S = 120;
const EVERY_MS = 5_000;

const now_s = signal(Date.now() / 1000);
setInterval(() => (now_s.value = Date.now() / 1000), EVERY_MS);

/** Says in time that a sign-in ends. A renewed one is taken up on the open documents, which do not notice. */
export function SignInNotice(): JSX.Element | null {
  const { signIn } = words().people;
  const renewing = useSignal(false);
  const me = identity.value;
  const expires_s = me?.expires_s;
  if (!me || expires_s === undefined || now_s.value < expires_s - BEFORE_S) return null;
  return (
    <div class="banner" role="status" data-testid="sign-in-notice">
      <div class="column">
        {signIn.endsSoon}
        <div class="choices">
          <button class="button primary" type="button" data-testid="renew" onClick={() => (renewing.value = true)}>
            {signIn.renew}
          </button>
        </div>
      </div>
      {renewing.value && <Renew user={me.name} onClose={() => (renewing.value = false)} />}
    </div>
  );
}

function Renew({ user, onClose }: { user: string; onClose: () => void }): JSX.Element {
  const { app, people } = words();
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} onClose={onClose} aria-labelledby="renew-title">
      <h2 id="renew-title">{people.signIn.renew}</h2>
      <TokenForm same={user} onDone={onClose} />
      <div class="actions">
        <button class="button" type="button" onClick={onClose}>
          {app.cancel}
        </button>
      </div>
    </dialog>
  );
}
