import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { memo } from "preact/compat";
import type { Message, RunSnapshot, Session } from "../threadline/index.ts";
import { readAttachments } from "../threadline/index.ts";
import { Attachments } from "./attachments.tsx";
import { ApprovalCard } from "./approval_card.tsx";
import { copyText } from "./clipboard.ts";
import { Icon } from "./icons.tsx";
import { Markdown } from "./markdown_view.tsx";
import type { SessionModel } from "./session_model.ts";
import { Steps } from "./steps.tsx";
import { words } from "./words/words.ts";

export interface Versions {
  /** Which of its versions this is, from 1, and how many there are. */
  version: number;
  of: number;
}

interface UserProps extends Versions {
  message: Message;
  model: SessionModel;
}

/** What a person said: dim until the server has it. */
export const UserMessage = memo(function UserMessage({ message, model, version, of }: UserProps): JSX.Element {
  const { chat, versions } = words();
  const mine = message.author.user === model.session.user;
  const sent = message.seq !== undefined;
  const offline = !sent && model.saved.value.word === "offline";
  const classes = `message user${mine ? "" : " other"}${sent ? "" : " unsaved"}`;
  const { name, user, device } = message.author;
  const fromHere = mine && device === model.session.device;
  const editing = model.editing.value === message.id;
  const retracted = message.status === "retracted";
  const attachments = retracted ? [] : readAttachments(message.attachments);
  return (
    <article class={classes} data-testid="message" data-role="user" data-id={message.id} data-sent={sent}>
      {attachments.length > 0 && <Attachments attachments={attachments} session={model.session} />}
      {editing ? (
        <EditForm message={message} model={model} />
      ) : (
        (retracted || message.text !== "") && (
          <div class="bubble" dir="auto">
            {retracted ? <span class="retracted">{chat.retracted}</span> : message.text}
          </div>
        )
      )}
      <div class="meta">
        {!fromHere && <span>{chat.from(name || user, device)}</span>}
        {!sent && <span>{offline ? chat.waitingToSend : chat.sending}</span>}
        <VersionSwitch message={message.id} model={model} version={version} of={of} />
        {model.undoable.value?.message === message.id && !editing && (
          <button class="text-button quiet" type="button" data-testid="undo-send" onClick={() => model.undo()}>
            {chat.undoSend}
          </button>
        )}
        {!editing && !retracted && message.text !== "" && <CopyMessage text={message.text} />}
        {mine && sent && !editing && model.canWrite.value && (
          <button
            class="icon-button quiet"
            type="button"
            data-testid="edit"
            aria-label={versions.edit}
            title={versions.edit}
            onClick={() => (model.editing.value = message.id)}
          >
            <Icon name="pencil" />
          </button>
        )}
      </div>
    </article>
  );
});

/** `< 2/3 >` where there are versions; it chooses for this device alone. */
function VersionSwitch({ message, model, version, of }: Versions & { message: string; model: SessionModel }): JSX.Element | null {
  const { versions } = words();
  if (of < 2) return null;
  const button = (step: number, label: string, disabled: boolean): JSX.Element => (
    <button
      class="icon-button"
      type="button"
      data-testid={step < 0 ? "previous-version" : "next-version"}
      aria-label={label}
      disabled={disabled}
      onClick={() => model.turn(message, step)}
    >
      <Icon name={step < 0 ? "left" : "right"} />
    </button>
  );
  return (
    <span class="versions" data-testid="versions" role="group" aria-label={versions.which(version, of)}>
      {button(-1, versions.previous, version === 1)}
      <span dir="ltr">
        {version}/{of}
      </span>
      {button(1, versions.next, version === of)}
    </span>
  );
}

function EditForm({ message, model }: { message: Message; model: SessionModel }): JSX.Element {
  const { app, versions } = words();
  const area = useRef<HTMLTextAreaElement>(null);
  useEffect(() => {
    area.current?.focus();
    area.current?.setSelectionRange(message.text.length, message.text.length);
  }, []);
  const close = (): void => {
    model.editing.value = undefined;
    document.querySelector<HTMLElement>("#composer")?.focus();
  };
  const send = (): void => {
    const text = area.current?.value.trim();
    if (text) model.edit(message.id, text, message.attachments);
    close();
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === "Escape") close();
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    event.preventDefault();
    send();
  };
  return (
    <div class="edit-form">
      <textarea
        class="input"
        ref={area}
        data-testid="edit-text"
        aria-label={versions.label}
        dir="auto"
        rows={2}
        defaultValue={message.text}
        onKeyDown={onKeyDown}
      />
      <div class="actions">
        <button class="button" type="button" onClick={close}>
          {app.cancel}
        </button>
        <button class="button primary" type="button" data-testid="edit-send" onClick={send}>
          {versions.send}
        </button>
      </div>
    </div>
  );
}

interface AssistantProps extends Versions {
  message: Message;
  run: RunSnapshot | undefined;
  model: SessionModel;
  /** Whether it may be answered again from here: the last answer that is shown. */
  last: boolean;
}

/** What the agent said, with the steps that led to it. Drawn again only when its message or run has changed. */
export const AssistantMessage = memo(function AssistantMessage(props: AssistantProps): JSX.Element {
  const { message, run, model } = props;
  const { session } = model;
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
        {!streaming && <Tools {...props} />}
      </div>
    </article>
  );
});

/** A run that has written nothing yet: it waits for its turn, thinks, or uses its first tool. */
export function PendingAnswer({ run, model }: { run: RunSnapshot; model: SessionModel }): JSX.Element {
  const { chat, versions } = words();
  const { session } = model;
  const over = run.ended_at !== undefined;
  return (
    <article class="message assistant" data-testid="pending" data-status={run.status}>
      <Who name={run.agent} run={run} />
      <div class="content">
        <Steps run={run} />
        <Approvals run={run} session={session} />
        {!over && run.status !== "waiting" && <Dots />}
        {over && run.error && <p class="bad">{run.error.message}</p>}
        {over && !run.error && run.status === "cancelled" && <p class="meta" data-testid="stopped">{chat.stopped}</p>}
        {over && run.input.message && session.canWrite && (
          <button class="button retry" type="button" data-testid="retry" onClick={() => model.answerAgain(run.input.message)}>
            <Icon name="again" />
            {versions.retry}
          </button>
        )}
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

function CopyMessage({ text }: { text: string }): JSX.Element {
  const { app } = words();
  const copied = useSignal(false);
  const copy = async (): Promise<void> => {
    await copyText(text);
    copied.value = true;
    setTimeout(() => (copied.value = false), COPIED_MS);
  };
  const label = copied.value ? app.copied : app.copy;
  return (
    <button class="icon-button quiet" type="button" data-testid="copy" aria-label={label} title={label} onClick={() => void copy()}>
      <Icon name={copied.value ? "check" : "copy"} />
    </button>
  );
}

function Tools({ message, model, version, of, last }: AssistantProps): JSX.Element {
  const { versions } = words();
  const again = message.status === "complete" ? versions.again : versions.retry;
  const question = message.parent;
  return (
    <div class="tools">
      <VersionSwitch message={message.id} model={model} version={version} of={of} />
      {message.text !== "" && <CopyMessage text={message.text} />}
      {last && question && model.canWrite.value && (
        <button
          class="icon-button"
          type="button"
          data-testid="again"
          aria-label={again}
          title={again}
          onClick={() => model.answerAgain(question)}
        >
          <Icon name="again" />
        </button>
      )}
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
