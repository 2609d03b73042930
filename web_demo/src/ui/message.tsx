import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { memo } from "preact/compat";
import type { Message, RunSnapshot, Session } from "../threadline/index.ts";
import { ApprovalCard } from "./approval_card.tsx";
import { copyText } from "./clipboard.ts";
import { Icon } from "./icons.tsx";
import { Markdown } from "./markdown_view.tsx";
import type { SessionModel } from "./session_model.ts";
import { Steps } from "./steps.tsx";
import { words } from "./words/words.ts";

/** What a person said: dim until the server has it. */
export function UserMessage({ message, model }: { message: Message; model: SessionModel }): JSX.Element {
  const { chat } = words();
  const mine = message.author.user === model.session.user;
  const sent = message.seq !== undefined;
  const offline = !sent && model.saved.value.word === "offline";
  const classes = `message user${mine ? "" : " other"}${sent ? "" : " unsaved"}`;
  const { name, user, device } = message.author;
  const fromHere = mine && device === model.session.device;
  return (
    <article class={classes} data-testid="message" data-role="user" data-id={message.id} data-sent={sent}>
      <div class="bubble" dir="auto">
        {message.status === "retracted" ? <span class="retracted">{chat.retracted}</span> : message.text}
      </div>
      <div class="meta">
        {!fromHere && <span>{chat.from(name || user, device)}</span>}
        {!sent && <span>{offline ? chat.waitingToSend : chat.sending}</span>}
      </div>
    </article>
  );
}

interface AssistantProps {
  message: Message;
  run: RunSnapshot | undefined;
  session: Session;
}

/** What the agent said, with the steps that led to it. Drawn again only when its message or run has changed. */
export const AssistantMessage = memo(function AssistantMessage({ message, run, session }: AssistantProps): JSX.Element {
  const { chat } = words();
  const streaming = message.status === "streaming";
  return (
    <article class="message assistant" data-testid="message" data-role={message.role} data-id={message.id} data-status={message.status}>
      <Who name={run?.agent || message.author.name} run={run} />
      <div class="content">
        {run && <Steps run={run} />}
        {run && <Approvals run={run} session={session} />}
        {message.status === "retracted" ? (
          <p class="retracted">{chat.retracted}</p>
        ) : (
          <Markdown text={message.text} streaming={streaming} />
        )}
        {streaming && message.text === "" && run?.status !== "waiting" && <Dots />}
        <Ending message={message} run={run} />
        {!streaming && message.text !== "" && <Tools message={message} />}
      </div>
    </article>
  );
});

/** A run that has written nothing yet: it waits for its turn, thinks, or uses its first tool. */
export function PendingAnswer({ run, session }: { run: RunSnapshot; session: Session }): JSX.Element {
  const { chat } = words();
  const over = run.ended_at !== undefined;
  return (
    <article class="message assistant" data-testid="pending" data-status={run.status}>
      <Who name={run.agent} run={run} />
      <div class="content">
        <Steps run={run} />
        <Approvals run={run} session={session} />
        {!over && run.status !== "waiting" && <Dots />}
        {over && run.error && <p class="bad">{run.error.message}</p>}
        {over && !run.error && run.status === "cancelled" && <p class="meta">{chat.stopped}</p>}
      </div>
    </article>
  );
}

/** A question that the server has, and of which it has made no run yet. */
export function AskedAnswer(): JSX.Element {
  return (
    <article class="message assistant" data-testid="asked">
      <Who name="" run={undefined} />
      <div class="content">
        <Dots />
      </div>
    </article>
  );
}

function Who({ name, run }: { name: string; run: RunSnapshot | undefined }): JSX.Element {
  const { app, run: runWords } = words();
  const status = run && run.ended_at === undefined ? runWords.statuses[run.status] : "";
  return (
    <div class="who">
      <img src="./icon.svg" alt="" />
      {name || app.agent}
      {status && <span class="status">{status}</span>}
    </div>
  );
}

function Approvals({ run, session }: { run: RunSnapshot; session: Session }): JSX.Element {
  return (
    <>
      {run.approvals.map((approval) => (
        <ApprovalCard key={approval.call} approval={approval} run={run} session={session} />
      ))}
    </>
  );
}

function Ending({ message, run }: { message: Message; run: RunSnapshot | undefined }): JSX.Element | null {
  const { chat, presence, run: runWords } = words();
  if (message.status === "stopped" || run?.status === "cancelled") {
    const by = run?.stopped_by;
    const who = by && presence.on(by.user, by.device);
    return <p class="meta" data-testid="stopped">{who ? `${chat.stopped} · ${who}` : chat.stopped}</p>;
  }
  if (message.status === "failed" || run?.error) {
    return <p class="meta bad">{run?.error?.message ?? chat.failed}</p>;
  }
  if (run?.status === "timeout" || run?.status === "max_steps_reached") {
    return <p class="meta bad">{runWords.statuses[run.status]}</p>;
  }
  return null;
}

const COPIED_MS = 1_500;

function Tools({ message }: { message: Message }): JSX.Element {
  const { app } = words();
  const copied = useSignal(false);
  const copy = async (): Promise<void> => {
    await copyText(message.text);
    copied.value = true;
    setTimeout(() => (copied.value = false), COPIED_MS);
  };
  const label = copied.value ? app.copied : app.copy;
  return (
    <div class="tools">
      <button class="icon-button" type="button" aria-label={label} title={label} onClick={() => void copy()}>
        <Icon name={copied.value ? "check" : "copy"} />
      </button>
    </div>
  );
}

function Dots(): JSX.Element {
  return (
    <span class="typing-dots" role="img" aria-label={words().chat.thinking}>
      <i />
      <i />
      <i />
    </span>
  );
}
