import { useComputed, useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import type { Placed } from "../threadline/document/branches.ts";
import type { Message, RunSnapshot } from "../threadline/index.ts";
import { copyText } from "./clipboard.ts";
import { Icon } from "./icons.tsx";
import { AskedAnswer, AssistantMessage, PendingAnswer, UserMessage } from "./message.tsx";
import type { SessionModel } from "./session_model.ts";
import { words } from "./words/words.ts";

/** So many messages are drawn at first, and so many more each time one asks for earlier ones. */
const PAGE = 80;
const NEAR_END_PX = 80;

/** The conversation, newest at the bottom; it stays at the bottom while one is there. */
export function Transcript({ model }: { model: SessionModel }): JSX.Element {
  const { chat } = words();
  const log = useRef<HTMLDivElement>(null);
  const atEnd = useSignal(true);
  const most = useSignal(PAGE);
  const runs = useComputed(() => byMessage(model.runs.value));
  const line = model.line.value.filter((placed) => !makesWay(placed, runs.value));
  const shown = line.slice(-most.value);

  const newest = model.messages.value.at(-1);
  useLayoutEffect(() => {
    if (newest && isFromHere(newest, model)) atEnd.value = true;
  }, [newest?.id]);
  useLayoutEffect(() => {
    if (atEnd.value && log.current) log.current.scrollTop = log.current.scrollHeight;
  });
  useStayAtEnd(log, () => atEnd.peek());

  const scrolledTo = useRef(0);
  const onScroll = (): void => {
    const { scrollTop, scrollHeight, clientHeight } = log.current!;
    // Only a person scrolls up; what streams in moves the end away without moving the view.
    if (scrollHeight - scrollTop - clientHeight < NEAR_END_PX) atEnd.value = true;
    else if (scrollTop < scrolledTo.current - 1) atEnd.value = false;
    scrolledTo.current = scrollTop;
  };
  const toEnd = (): void => {
    atEnd.value = true;
    log.current?.scrollTo({ top: log.current.scrollHeight });
  };
  return (
    <>
      <div
        class="transcript"
        ref={log}
        role="log"
        aria-label={chat.log}
        aria-live="off"
        tabIndex={0}
        data-testid="transcript"
        onScroll={onScroll}
        onClick={copyCode}
      >
        <div class="column">
          {shown.length < line.length && (
            <button class="button earlier" type="button" onClick={() => (most.value += PAGE)}>
              {chat.earlier}
            </button>
          )}
          {line.length === 0 && <Empty model={model} />}
          {shown.map((placed) => (
            <Line key={placed.message.id} placed={placed} last={placed === line.at(-1)} runs={runs.value} model={model} />
          ))}
        </div>
      </div>
      <Announcer model={model} />
      <div class="composer-top">
        {!atEnd.value && (
          <div class="latest">
            <button class="button" type="button" onClick={toEnd}>
              <Icon name="chevron" />
              {chat.latest}
            </button>
          </div>
        )}
      </div>
    </>
  );
}

function isFromHere({ author }: Message, { session }: SessionModel): boolean {
  return author.user === session.user && author.device === session.device;
}

interface RunsByMessage {
  replies: Map<string, RunSnapshot>;
  asked: Map<string, RunSnapshot>;
}

function byMessage(runs: readonly RunSnapshot[]): RunsByMessage {
  return {
    replies: new Map(runs.filter(({ message }) => message).map((run) => [run.message, run])),
    asked: new Map(runs.map((run) => [run.input.message, run])),
  };
}

/** An answer while another one to the same question is begun. */
function makesWay({ message }: Placed, { asked }: RunsByMessage): boolean {
  const run = message.role === "user" || !message.parent ? undefined : asked.get(message.parent);
  return run !== undefined && run.ended_at === undefined && run.message === "";
}

interface LineProps {
  placed: Placed;
  last: boolean;
  runs: RunsByMessage;
  model: SessionModel;
}

/** A message; beneath a question, the run that has not written a word yet. */
function Line({ placed, last, runs, model }: LineProps): JSX.Element {
  const { message, version, versions } = placed;
  const which = { version, of: versions.length };
  if (message.role !== "user") {
    return <AssistantMessage message={message} run={runs.replies.get(message.id)} model={model} last={last} {...which} />;
  }
  const run = runs.asked.get(message.id);
  const hasReply = run !== undefined && run.message !== "" && model.session.messages.get(run.message) !== undefined;
  return (
    <>
      <UserMessage message={message} model={model} {...which} />
      {run && !hasReply && <PendingAnswer run={run} model={model} />}
      {!run && message.seq && isAsked(model, message.id) && <AskedAnswer />}
    </>
  );
}

function isAsked(model: SessionModel, message: string): boolean {
  return model.asked.value.some(({ fields }) => fields["message"] === message);
}

function Empty({ model }: { model: SessionModel }): JSX.Element {
  const { app, chat } = words();
  if (!model.synced.value && model.session.isEmpty && model.saved.value.word === "saving") {
    return <div class="empty-chat">{app.loading}</div>;
  }
  return (
    <div class="empty-chat">
      <img src="./icon.svg" alt="" />
      <h2>{chat.empty}</h2>
      <p>{chat.emptyText}</p>
      <div class="starters">
        {chat.starters.map((starter) => (
          <button
            key={starter}
            type="button"
            data-testid="starter"
            disabled={!model.session.canWrite}
            onClick={() => model.send(starter)}
          >
            {starter}
          </button>
        ))}
      </div>
    </div>
  );
}

/** Says a finished answer once; while it streams, a screen reader is left in peace. */
function Announcer({ model }: { model: SessionModel }): JSX.Element {
  const { chat } = words();
  const last = model.messages.value.at(-1);
  const said = useRef(last?.id);
  const text = useSignal("");
  useEffect(() => {
    if (!last || last.role === "user" || last.status === "streaming" || said.current === last.id) return;
    said.current = last.id;
    text.value = chat.finished(last.text);
  });
  return (
    <div class="sr-only" role="status">
      {text}
    </div>
  );
}

/** Keeps the end in view when something above it grows: an opened card, highlighted code, a keyboard. */
function useStayAtEnd(log: { current: HTMLDivElement | null }, atEnd: () => boolean): void {
  useEffect(() => {
    const element = log.current;
    const content = element?.firstElementChild;
    if (!element || !content) return undefined;
    const observer = new ResizeObserver(() => {
      if (atEnd()) element.scrollTop = element.scrollHeight;
    });
    observer.observe(content);
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
}

const COPIED_MS = 1_500;

function copyCode(event: MouseEvent): void {
  const button = (event.target as Element).closest<HTMLButtonElement>("button[data-copy]");
  const code = button?.closest(".code-block")?.querySelector("code")?.textContent;
  if (!button || code === undefined || code === null) return;
  const { app } = words();
  void copyText(code).then(() => {
    button.textContent = app.copied;
    setTimeout(() => (button.textContent = app.copy), COPIED_MS);
  });
}
