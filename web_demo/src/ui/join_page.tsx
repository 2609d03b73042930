import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { client, refreshList } from "./app_model.ts";
import { entry, goTo } from "./route.ts";
import { words } from "./words/words.ts";

/** Uses an invitation and goes to the conversation that it opens. */
export default function JoinPage({ code }: { code: string }): JSX.Element {
  const { people } = words();
  const failed = useSignal("");
  const current = client.value;
  useEffect(() => {
    if (!current) return;
    current.invitations
      .accept(code)
      .then(async ({ id }) => {
        entry.value = undefined;
        goTo(id);
        await refreshList();
      })
      .catch((error: unknown) => (failed.value = error instanceof Error ? error.message : String(error)));
  }, [current]);
  return (
    <main class="welcome">
      <div class="card" data-testid="join-page">
        <div class="brand">
          <img src="./icon.svg" alt="" />
          {words().app.name}
        </div>
        {failed.value ? (
          <>
            <h1>{people.share.joinFailed}</h1>
            <p role="alert" data-testid="join-failed">
              {failed.value}
            </p>
            <button class="button primary" type="button" onClick={() => (entry.value = undefined)}>
              {people.share.toList}
            </button>
          </>
        ) : (
          <h1>{people.share.joining}</h1>
        )}
      </div>
    </main>
  );
}
