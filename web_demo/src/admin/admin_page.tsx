import { useSignal, type Signal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { sizeText } from "../ui/file_size.ts";
import { identity } from "../ui/settings.ts";
import { language } from "../ui/words/words.ts";
import { fetchOverview, NotAllowed, type Overview } from "./overview.ts";
import { Plot } from "./plot.tsx";
import { levels, rates, withSample, type Sample } from "./samples.ts";
import { Devices, Nodes, Sessions } from "./tables.tsx";
import { ADMIN_WORDS, type AdminWords } from "./words.ts";

const EVERY_MS = 2_000;

interface Watched {
  overview: Overview | undefined;
  samples: readonly Sample[];
  /** What the server says to somebody who may not look. */
  refused: string | undefined;
  lost: boolean;
}

/** The server as operators see it, live and read-only. */
export function AdminPage(): JSX.Element {
  const words = ADMIN_WORDS[language.value];
  const token = useSignal(identity.value?.token ?? "");
  const watched = useWatched(token);
  const { overview, refused, lost } = watched.value;
  return (
    <div class="admin">
      <Top overview={overview} words={words} />
      <main>
        {refused !== undefined && <Refused message={refused} token={token} words={words} />}
        {refused === undefined && !overview && <p class="note">{lost ? words.lost : words.loading}</p>}
        {refused === undefined && overview && (
          <>
            {lost && (
              <p class="lost" role="alert" data-testid="lost">
                {words.lost}
              </p>
            )}
            <Checks overview={overview} words={words} />
            <Plots samples={watched.value.samples} words={words} />
            <Nodes nodes={overview.nodes} words={words} />
            <Sessions title={words.runs} rows={overview.runs} words={words} testId="runs" />
            <Sessions title={words.sessions} rows={overview.sessions} words={words} testId="sessions" />
            <Devices devices={overview.devices} words={words} />
            <p class="note">{words.readOnly}</p>
          </>
        )}
      </main>
    </div>
  );
}

/** Asks again and again while the page is looked at. */
function useWatched(token: Signal<string>): Signal<Watched> {
  const watched = useSignal<Watched>({ overview: undefined, samples: [], refused: undefined, lost: false });
  useEffect(() => {
    const look = async (): Promise<void> => {
      if (document.hidden) return;
      const { samples } = watched.peek();
      try {
        const overview = await fetchOverview(token.peek());
        watched.value = { overview, samples: withSample(samples, overview), refused: undefined, lost: false };
      } catch (error) {
        if (error instanceof NotAllowed) watched.value = { ...watched.peek(), refused: error.message, lost: false };
        else watched.value = { ...watched.peek(), lost: true };
      }
    };
    void look();
    const timer = setInterval(() => watched.peek().refused === undefined && void look(), EVERY_MS);
    return () => clearInterval(timer);
  }, [token.value]);
  return watched;
}

function Top({ overview, words }: { overview: Overview | undefined; words: AdminWords }): JSX.Element {
  return (
    <header class="admin-top">
      <img src="./icon.svg" alt="" />
      <h1>Threadline</h1>
      <span class="where">{overview ? `${words.title} ${overview.node}` : words.title}</span>
      {overview && (
        <span class={`badge ${overview.ready ? "good" : "bad"}`} data-testid="ready">
          {overview.ready ? words.ready : words.notReady}
        </span>
      )}
      <a class="button" href="./">
        {words.back}
      </a>
    </header>
  );
}

function Checks({ overview, words }: { overview: Overview; words: AdminWords }): JSX.Element {
  return (
    <ul class="checks" data-testid="checks">
      {Object.entries(overview.checks).map(([name, holds]) => (
        <li key={name} class={holds ? "good" : "bad"}>
          {words.checks[name] ?? name}: {holds ? words.yes : words.no}
        </li>
      ))}
      <li>{overview.durability}</li>
    </ul>
  );
}

function Plots({ samples, words }: { samples: readonly Sample[]; words: AdminWords }): JSX.Element {
  const { plots, highest } = words;
  const number = new Intl.NumberFormat(language.value, { maximumFractionDigits: 1 });
  const plain = (value: number): string => number.format(value);
  const perSecond = (value: number): string => words.perSecond(plain(value));
  const percent = (value: number): string => `${plain(value * 100)} %`;
  const shown: [string, readonly number[], (value: number) => string][] = [
    [plots.connections, levels(samples, "threadline_edge_connections"), plain],
    [plots.sessions, levels(samples, "threadline_rooms_open"), plain],
    [plots.runs, levels(samples, "threadline_worker_sessions"), plain],
    [plots.updates, rates(samples, "threadline_rooms_updates_total"), perSecond],
    [plots.turns, rates(samples, "threadline_backplane_turns_durable_total"), perSecond],
    [plots.bytes, rates(samples, "threadline_rooms_bytes_total"), (value) => words.perSecond(size(value))],
    [plots.refused, rates(samples, "threadline_rooms_refused_total"), perSecond],
    [plots.cpu, rates(samples, "process_cpu_seconds_total"), percent],
    [plots.memory, levels(samples, "process_resident_memory_bytes"), size],
  ];
  return (
    <div class="plots">
      {shown.map(([name, values, text]) => (
        <Plot key={name} name={name} values={values} text={text} highest={highest} />
      ))}
    </div>
  );
}

function size(bytes: number): string {
  return sizeText(bytes, language.value);
}

function Refused({ message, token, words }: { message: string; token: Signal<string>; words: AdminWords }): JSX.Element {
  const typed = useSignal("");
  const submit = (event: Event): void => {
    event.preventDefault();
    token.value = typed.value.trim();
  };
  return (
    <form class="refused-form" onSubmit={submit} data-testid="refused">
      <h2>{words.refusedTitle}</h2>
      <p role="alert">{message}</p>
      <label>
        {words.token}
        <input
          class="input"
          type="password"
          autocomplete="off"
          data-testid="admin-token"
          value={typed}
          onInput={(event) => (typed.value = event.currentTarget.value)}
        />
      </label>
      <button class="button primary" type="submit" disabled={!typed.value.trim()}>
        {words.show}
      </button>
    </form>
  );
}
