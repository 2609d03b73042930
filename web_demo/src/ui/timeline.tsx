import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useMemo } from "preact/hooks";
import { lineOf } from "../threadline/document/branches.ts";
import { Replay } from "../threadline/replay.ts";
import { client, refreshList } from "./app_model.ts";
import { Icon } from "./icons.tsx";
import { Markdown } from "./markdown_view.tsx";
import { goTo } from "./route.ts";
import type { SessionModel } from "./session_model.ts";
import { language, words } from "./words/words.ts";

/** The session at any moment of its log, who changed what, and a way to go on from there. */
export default function Timeline({ model, onClose }: { model: SessionModel; onClose: () => void }): JSX.Element {
  const { app, timeline } = words();
  const replay = useSignal<Replay | undefined>(undefined);
  const failed = useSignal(false);
  useEffect(() => {
    const log = client.peek()?.sessions.replay(model.session.id);
    log?.then((read) => (replay.value = new Replay(read))).catch(() => (failed.value = true));
  }, []);
  return (
    <aside class="panel drawer" aria-label={timeline.open} data-testid="timeline" onKeyDown={closeOnEscape(onClose)}>
      <header>
        <h2>{timeline.open}</h2>
        <button class="icon-button" type="button" aria-label={app.close} onClick={onClose}>
          <Icon name="close" />
        </button>
      </header>
      <div class="body" tabIndex={0}>
        {failed.value && <p role="alert">{timeline.failed}</p>}
        {!failed.value && !replay.value && <p>{app.loading}</p>}
        {replay.value && <Scrubber replay={replay.value} id={model.session.id} />}
      </div>
    </aside>
  );
}

function closeOnEscape(onClose: () => void): (event: KeyboardEvent) => void {
  return (event) => {
    if (event.key === "Escape") onClose();
  };
}

function Scrubber({ replay, id }: { replay: Replay; id: string }): JSX.Element {
  const { timeline } = words();
  const at = useSignal(replay.length);
  const moment = useMemo(() => replay.at(at.value), [at.value]);
  const failed = useSignal(false);
  const change = replay.change(at.value);
  const branch = async (): Promise<void> => {
    try {
      const made = await client.peek()?.sessions.branch(id, at.value);
      if (made) goTo(made.id);
      await refreshList();
    } catch {
      failed.value = true;
    }
  };
  const which = at.value === 0 ? timeline.begin : timeline.which(at.value, replay.length);
  const state = Object.entries(moment.state);
  return (
    <>
      <label class="scrubber">
        <span class="sr-only">{timeline.moment}</span>
        <input
          type="range"
          data-testid="scrubber"
          min={0}
          max={replay.length}
          value={at.value}
          aria-valuetext={which}
          onInput={(event) => (at.value = Number(event.currentTarget.value))}
        />
      </label>
      <p class="note" data-testid="moment">
        {which}
        {change && ` · ${whoText(change.user)} · ${new Date(change.at).toLocaleTimeString(language.value)}`}
      </p>
      <button class="button primary" type="button" data-testid="branch" onClick={() => void branch()}>
        <Icon name="branch" />
        {timeline.branch}
      </button>
      {failed.value && <p role="alert">{timeline.failed}</p>}
      <ol class="moment" data-testid="moment-messages">
        {moment.messages.length === 0 && <li class="note">{timeline.nothing}</li>}
        {lineOf(moment.messages).map(({ message }) => (
          <li key={message.id} class={message.role} dir="auto">
            <small>{whoText(message.author.name || message.author.user)}</small>
            {message.role === "user" ? <p>{message.text}</p> : <Markdown text={message.text} streaming={false} />}
          </li>
        ))}
      </ol>
      {state.length > 0 && (
        <section>
          <h3>{timeline.state}</h3>
          <dl class="facts" data-testid="moment-state">
            {state.map(([key, value]) => [
              <dt key={key}>{key}</dt>,
              <dd key={`${key} value`} dir="auto">
                {typeof value === "string" ? value : JSON.stringify(value)}
              </dd>,
            ])}
          </dl>
        </section>
      )}
    </>
  );
}

function whoText(user: string): string {
  if (user === "server:") return words().timeline.server;
  return user.startsWith("agent:") ? `${words().app.agent} (${user.slice("agent:".length)})` : user;
}
