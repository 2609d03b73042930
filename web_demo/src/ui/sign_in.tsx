import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { sign_in_way } from "../threadline/index.ts";
import { later } from "./later.tsx";
import { entry } from "./route.ts";
import { Welcome } from "./welcome.tsx";
import { words } from "./words/words.ts";

const TokenForm = later(() => import("./token_form.tsx"));

/** The first visit: a name where names are believed, otherwise what the server asks for. */
export function SignIn(): JSX.Element {
  const { app, people } = words();
  const way = useSignal<"none" | "pairing" | "token" | undefined>(undefined);
  useEffect(() => {
    sign_in_way(location.origin)
      .then((asked) => (way.value = asked))
      .catch(() => (way.value = "none"));
  }, []);
  if (way.value === "none") return <Welcome />;
  return (
    <main class="welcome" data-testid={way.value && "sign-in"}>
      {way.value && (
        <div class="card">
          <div class="brand">
            <img src="./icon.svg" alt="" />
            {app.name}
          </div>
          <h1>{people.signIn.title}</h1>
          {way.value === "token" ? <TokenForm /> : <Pair />}
          <button class="button" type="button" data-testid="other-device" onClick={() => (entry.value = { kind: "link", code: "" })}>
            {people.signIn.other}
          </button>
        </div>
      )}
    </main>
  );
}

function Pair(): JSX.Element {
  const { signIn } = words().people;
  return (
    <>
      <p>{signIn.pairing}</p>
      <a class="button primary" href="./pair">
        {signIn.pair}
      </a>
    </>
  );
}
