import { useComputed, useSignal } from "@preact/signals";
import type { ComponentChildren, JSX } from "preact";
import { memo } from "preact/compat";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import type { Placed } from "../threadline/document/branches.ts";
import type { Message, RunSnapshot } from "../threadline/index.ts";
import { copyText } from "./clipboard.ts";
import { Icon } from "./icons.tsx";
import { AskedAnswer, AssistantMessage, PendingAnswer, UserMessage } from "./message.tsx";
import { useRowWindow, type RowWindow } from "./row_window.ts";
import type { SessionModel } from "./session_model.ts";
import { words } from "./words/words.ts";

/** The conversation, newest at the bottom; it stays at the bottom while one is there. */
export function Transcript({ model }: { model: SessionModel }): JSX.Element {
  const { chat } = words();
  const runs = useComputed(() => byMessage(model.runs.value));
  const line = useComputed(() => model.line.value.filter((placed) => !makesWay(placed, runs.value)));
  const keys = useComputed(() => line.value.map(({ message }) => message.id));
  const rows = useRowWindow(keys.value);
  const { range, atEnd } = rows;
  const last = line.value.at(-1);
  // What is new may be known before it is among the messages of this frame.
  const firstNew = useComputed(() => keys.value.find((id) => id === model.reading.firstNew.value)).value;

  const counts = model.reading.counts.value;
  const newest = model.messages.value.at(-1);
  useLayoutEffect(() => {
    if (newest && isFromHere(newest, model)) rows.toEnd();
  }, [newest?.id]);
  useEffect(() => {
    if (firstNew) rows.toRow(firstNew);
  }, [firstNew]);
  useEffect(() => {
    if (counts && atEnd.value) model.reading.seenToEnd();
  });
  return (
    <>
      <div
        class="transcript"
        ref={rows.log}
        role="log"
        aria-label={chat.log}
        aria-live="off"
        tabIndex={0}
        data-testid="transcript"
        onScroll={rows.onScroll}
        onClick={copyCode}
      >
        <div class="column">
          {line.value.length === 0 && <Empty model={model} />}
          <div class="undrawn" ref={rows.before} />
          {line.value.slice(range.from, range.to).map((placed) => (
            <Row key={placed.message.id} id={placed.message.id} rows={rows} isNew={placed.message.id === firstNew}>
              <Line placed={placed} last={placed === last} runs={runs.value} model={model} />
            </Row>
          ))}
          <div class="undrawn" ref={rows.after} />
        </div>
      </div>
      <Announcer model={model} />
      <div class="composer-top">
        {!atEnd.value && (
          <div class="latest">
            <button class="button" type="button" data-testid="to-end" onClick={rows.toEnd}>
              <Icon name="chevron" />
              {chat.latest}
            </button>
          </div>
        )}
      </div>
    </>
  );
}

interface RowProps {
  id: string;
  rows: RowWindow;
  /** Whether what is new to the person begins here. */
  isNew: boolean;
  children: ComponentChildren;
}

/** One message with the space beneath it, whose height is followed. */
function Row({ id, rows, isNew, children }: RowProps): JSX.Element {
  const element = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => rows.observe(element.current!, id), [id]);
  return (
    <div class="row-of-log" ref={element}>
      {isNew && (
        <div class="new-line" role="separator" data-testid="new-line">
          <span>{words().chat.newHere}</span>
        </div>
      )}
      {children}
    </div>
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

/** A message; beneath a question, the run that has not written a word yet. Drawn again only when one of them changed. */
const Line = memo(function Line({ placed, last, runs, model }: LineProps): JSX.Element {
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
});

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
            disabled={!model.canWrite.value}
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
  const begun = useRef(false);
  const text = useSignal("");
  useEffect(() => {
    // What arrives while the conversation is being opened was said before.
    if (!begun.current) said.current = last?.id;
    begun.current ||= model.synced.value;
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
