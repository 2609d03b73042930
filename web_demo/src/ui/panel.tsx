import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { toJson } from "../threadline/document/values.ts";
import type { Json } from "../threadline/index.ts";
import { copyText } from "./clipboard.ts";
import { Icon } from "./icons.tsx";
import { PeopleActions } from "./people_actions.tsx";
import { sessionUrl } from "./route.ts";
import type { SessionModel } from "./session_model.ts";
import { StateTree } from "./state_tree.tsx";
import { words } from "./words/words.ts";

/** Beside the conversation: what is known, who is here, and what stands behind it. */
export function Panel({ model, onClose }: { model: SessionModel; onClose: () => void }): JSX.Element {
  const { app, panel } = words();
  const root = useRef<HTMLElement>(null);
  useEffect(() => {
    if (matchMedia("(max-width: 1100px)").matches) root.current?.querySelector<HTMLElement>("button")?.focus();
  }, []);
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === "Escape" && !(event.target instanceof HTMLInputElement)) onClose();
  };
  return (
    <aside class="panel" ref={root} aria-label={panel.open} data-testid="panel" onKeyDown={onKeyDown}>
      <header>
        <h2>{panel.open}</h2>
        <button class="icon-button" type="button" aria-label={app.close} onClick={onClose}>
          <Icon name="close" />
        </button>
      </header>
      <div class="body">
        <StateSection model={model} />
        <CounterSection model={model} />
        <DeviceSection model={model} />
        <DetailSection model={model} />
      </div>
    </aside>
  );
}

function StateSection({ model }: { model: SessionModel }): JSX.Element {
  const { panel } = words();
  const { session } = model;
  const state = model.state.value;
  return (
    <section>
      <h3>{panel.state}</h3>
      <p class="note">{Object.keys(state).length === 0 ? panel.stateEmpty : panel.stateText}</p>
      <StateTree value={state} session={session} />
      {model.canWrite.value && <AddKey model={model} />}
      {model.undoable.value && (
        <button class="button undo" type="button" data-testid="undo" onClick={() => model.undo()}>
          <Icon name="undo" />
          {panel.undo}
        </button>
      )}
    </section>
  );
}

function AddKey({ model }: { model: SessionModel }): JSX.Element {
  const { panel } = words();
  const key = useSignal("");
  const value = useSignal("");
  const refused = useSignal("");
  const add = (event: Event): void => {
    event.preventDefault();
    if (!key.value.trim()) return;
    try {
      model.session.state.set(key.value.trim(), readValue(value.value));
    } catch (error) {
      refused.value = error instanceof Error ? error.message : String(error);
      return;
    }
    refused.value = "";
    key.value = "";
    value.value = "";
  };
  return (
    <form class="add-key" onSubmit={add}>
      <input
        class="input"
        data-testid="new-key"
        aria-label={panel.key}
        placeholder={panel.key}
        value={key}
        maxLength={200}
        onInput={(event) => (key.value = event.currentTarget.value)}
      />
      <input
        class="input"
        data-testid="new-value"
        aria-label={panel.value}
        placeholder={panel.value}
        value={value}
        onInput={(event) => (value.value = event.currentTarget.value)}
      />
      <button class="button" data-testid="add-key" type="submit" disabled={!key.value.trim()}>
        {panel.add}
      </button>
      {refused.value && (
        <p class="refused" role="alert">
          {refused.value}
        </p>
      )}
    </form>
  );
}

/** What was typed as JSON if it is JSON that a session can hold, otherwise as text. */
export function readValue(text: string): Json {
  try {
    return toJson(JSON.parse(text));
  } catch {
    return text.toWellFormed();
  }
}

function CounterSection({ model }: { model: SessionModel }): JSX.Element | null {
  const { panel } = words();
  const counters = Object.entries(model.counters.value);
  if (counters.length === 0) return null;
  return (
    <section>
      <h3>{panel.counters}</h3>
      <dl class="facts">
        {counters.map(([name, value]) => [<dt key={name}>{name}</dt>, <dd key={`${name} value`}>{value}</dd>])}
      </dl>
    </section>
  );
}

function DeviceSection({ model }: { model: SessionModel }): JSX.Element {
  const { panel } = words();
  const connected = model.saved.value.word !== "offline";
  return (
    <section>
      <h3>{panel.devices}</h3>
      <ul class="device-list" data-testid="devices">
        {model.present.value.filter(({ mine }) => mine || connected).map((present) => (
          <li key={present.client_id}>
            <span class="avatar" aria-hidden="true">
              {present.name.slice(0, 2)}
            </span>
            <span class="names">
              <span>{present.name}</span>
              <small>
                {[present.device, present.mine && panel.thisDevice, present.state["typing"] === true && panel.typing]
                  .filter(Boolean)
                  .join(" · ")}
              </small>
            </span>
          </li>
        ))}
      </ul>
      <PeopleActions id={model.session.id} />
    </section>
  );
}

function DetailSection({ model }: { model: SessionModel }): JSX.Element {
  const { app, glass, panel, roles, saved, timeline } = words();
  const copied = useSignal(false);
  const hello = model.hello.value;
  const copyLink = (): void => {
    void copyText(sessionUrl(model.session.id)).then(() => (copied.value = true));
  };
  const durability = hello?.durability as keyof typeof saved.durability | undefined;
  return (
    <section>
      <h3>{panel.details}</h3>
      <dl class="facts">
        {hello && [<dt key="role">{panel.role}</dt>, <dd key="role value">{roles[hello.role]}</dd>]}
        {durability && [<dt key="durability">{panel.durability}</dt>, <dd key="d value">{saved.durability[durability]}</dd>]}
      </dl>
      <div class="details-actions">
        <button class="button link" type="button" onClick={copyLink}>
          <Icon name="link" />
          {copied.value ? app.copied : panel.link}
        </button>
        <button class="button" type="button" data-testid="open-timeline" onClick={() => (model.drawer.value = "timeline")}>
          <Icon name="clock" />
          {timeline.open}
        </button>
        <button class="button" type="button" data-testid="open-glass" onClick={() => (model.drawer.value = "glass")}>
          <Icon name="glass" />
          {glass.open}
        </button>
      </div>
    </section>
  );
}
