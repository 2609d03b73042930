import { useComputed, useSignal, type Signal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import * as Y from "yjs";
import type { Client, Frame } from "../threadline/index.ts";
import { client } from "./app_model.ts";
import { Icon } from "./icons.tsx";
import type { SessionModel } from "./session_model.ts";
import { language, words } from "./words/words.ts";

const MOST_FRAMES = 40;
const SLOW_MS = 800;

interface Traffic {
  sent: number;
  received: number;
  /** From sending the last change to hearing that it is durable; undefined before. */
  round_trip_ms: number | undefined;
  frames: readonly Frame[];
}

/** What passes between this device and the server, and ways to disturb it, so that one sees it heal. */
export default function GlassBox({ model, onClose }: { model: SessionModel; onClose: () => void }): JSX.Element {
  const { app, glass } = words();
  const current = client.value;
  const traffic = useTraffic(current);
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === "Escape") onClose();
  };
  return (
    <aside class="panel drawer" aria-label={glass.open} data-testid="glass" onKeyDown={onKeyDown}>
      <header>
        <h2>{glass.open}</h2>
        <button class="icon-button" type="button" aria-label={app.close} onClick={onClose}>
          <Icon name="close" />
        </button>
      </header>
      <div class="body" tabIndex={0}>
        {current && <Disturbances current={current} model={model} />}
        <Facts current={current} model={model} traffic={traffic} />
        <Frames traffic={traffic} />
      </div>
    </aside>
  );
}

function useTraffic(current: Client | undefined): Signal<Traffic> {
  const traffic = useSignal<Traffic>({ sent: 0, received: 0, round_trip_ms: undefined, frames: [] });
  useEffect(() => {
    let asked: number | undefined;
    return current?.watch((frame) => {
      const { sent, received, round_trip_ms, frames } = traffic.peek();
      const changes = frame.what === "sync update" || frame.what === "sync step2";
      if (frame.sent && changes) asked ??= frame.at;
      const answered = !frame.sent && frame.what === "status" && asked !== undefined ? frame.at - asked : undefined;
      if (answered !== undefined) asked = undefined;
      traffic.value = {
        sent: sent + Number(frame.sent),
        received: received + Number(!frame.sent),
        round_trip_ms: answered ?? round_trip_ms,
        frames: [frame, ...frames].slice(0, MOST_FRAMES),
      };
    });
  }, [current]);
  return traffic;
}

function Disturbances({ current, model }: { current: Client; model: SessionModel }): JSX.Element {
  const { glass } = words();
  const slow = useSignal(current.delay_ms > 0);
  const away = model.saved.value.word === "offline" && current.status === "stopped";
  const toggleSlow = (): void => {
    slow.value = !slow.value;
    current.delay_ms = slow.value ? SLOW_MS : 0;
  };
  return (
    <div class="disturbances">
      <button class="button" type="button" data-testid="drop" onClick={() => current.drop()}>
        {glass.drop}
      </button>
      <button
        class="button"
        type="button"
        data-testid="leave"
        onClick={() => (current.status === "stopped" ? current.reconnect() : current.disconnect())}
      >
        {away ? glass.back : glass.leave}
      </button>
      <button class="button" type="button" data-testid="slow" aria-pressed={slow.value} onClick={toggleSlow}>
        {glass.slow}
      </button>
      <KillButton current={current} />
    </div>
  );
}

/** Where somebody starts the node again, and only there. */
function KillButton({ current }: { current: Client }): JSX.Element | null {
  const { glass } = words();
  const possible = useSignal(false);
  const dying = useSignal(false);
  useEffect(() => {
    current.demo.can_kill().then((can) => (possible.value = can), () => undefined);
  }, [current]);
  useEffect(() => current.on("status", (status) => status === "online" && (dying.value = false)), [current]);
  if (!possible.value) return null;
  const kill = (): void => {
    dying.value = true;
    // The answer may not come any more.
    current.demo.kill().catch(() => undefined);
  };
  return (
    <button class="button danger" type="button" data-testid="kill" disabled={dying.value} onClick={kill}>
      {glass.kill}
    </button>
  );
}

interface FactsProps {
  current: Client | undefined;
  model: SessionModel;
  traffic: Signal<Traffic>;
}

function Facts({ current, model, traffic }: FactsProps): JSX.Element {
  const { glass, run } = words();
  // The documents are no signals: what they tell is read again with every frame and change.
  const vector = useComputed(() => vectorOf(model, [traffic.value, model.messages.value]));
  const { sent, received, round_trip_ms } = traffic.value;
  const facts: [string, string | number, string][] = [
    [glass.connection, current ? glass.statuses[current.status] : "", "connection"],
    [glass.waiting, model.saved.value.waiting, "waiting"],
    [glass.roundTrip, round_trip_ms === undefined ? "–" : run.took(round_trip_ms), "round-trip"],
    [glass.sent, sent, "sent"],
    [glass.received, received, "received"],
  ];
  return (
    <section>
      <dl class="facts">
        {facts.map(([name, value, id]) => [
          <dt key={id}>{name}</dt>,
          <dd key={`${id} value`} data-testid={`glass-${id}`}>
            {value}
          </dd>,
        ])}
      </dl>
      <h3>{glass.vector}</h3>
      <dl class="facts mono" data-testid="vector">
        {vector.value.map(([id, clock]) => [<dt key={id}>{id}</dt>, <dd key={`${id} clock`}>{clock}</dd>])}
      </dl>
    </section>
  );
}

/** Client ids with how much this replica has of each, the most first. */
function vectorOf(model: SessionModel, _changed: readonly unknown[]): [number, number][] {
  const vector = Y.decodeStateVector(Y.encodeStateVector(model.session.document));
  return [...vector].sort(([, left], [, right]) => right - left);
}

function Frames({ traffic }: { traffic: Signal<Traffic> }): JSX.Element {
  const { glass } = words();
  return (
    <section>
      <h3>{glass.frames}</h3>
      <ol class="frames" data-testid="frames" dir="ltr">
        {traffic.value.frames.map((frame, index) => (
          <li key={traffic.value.sent + traffic.value.received - index}>
            <span aria-hidden="true">{frame.sent ? "↑" : "↓"}</span>
            <span>{frame.what}</span>
            <span class="about">{frame.address}</span>
            <span>{frame.bytes} B</span>
            <time>{new Date(frame.at).toLocaleTimeString(language.value)}</time>
          </li>
        ))}
      </ol>
    </section>
  );
}
