import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import type { Attachment, Session } from "../threadline/index.ts";
import type { AttachingFiles } from "./attaching.ts";
import { downloadBlob } from "./download.ts";
import { sizeText } from "./file_size.ts";
import { Icon } from "./icons.tsx";
import { language, words } from "./words/words.ts";

/** What a browser draws without running anything that is in it. */
const PICTURES = new Set(["image/png", "image/jpeg", "image/gif", "image/webp", "image/avif"]);

/** The files of a message: pictures are shown, the others are named; either is saved at a click. */
export function Attachments({ attachments, session }: { attachments: readonly Attachment[]; session: Session }): JSX.Element {
  return (
    <ul class="attachments" data-testid="attachments">
      {attachments.map((attachment) => (
        <li key={attachment.id}>
          {PICTURES.has(attachment.type) ? (
            <Picture attachment={attachment} session={session} />
          ) : (
            <FileCard attachment={attachment} session={session} />
          )}
        </li>
      ))}
    </ul>
  );
}

interface OneProps {
  attachment: Attachment;
  session: Session;
}

/** A picture from bytes that were fetched with the person's own token; its type is what the server vouches for. */
function Picture({ attachment, session }: OneProps): JSX.Element {
  const { attach } = words();
  const address = useSignal("");
  useEffect(() => {
    let url = "";
    let gone = false;
    void session.attachment(attachment.id).then(
      (blob) => {
        if (gone || !PICTURES.has(blob.type)) return;
        address.value = url = URL.createObjectURL(blob);
      },
      () => undefined, // offline, or gone: it stays a card
    );
    return () => {
      gone = true;
      if (url) URL.revokeObjectURL(url);
    };
  }, [attachment.id]);
  if (!address.value) return <FileCard attachment={attachment} session={session} />;
  return (
    <button class="picture" type="button" data-testid="picture" aria-label={attach.save(attachment.name)} onClick={() => void save(attachment, session)}>
      <img src={address.value} alt={attachment.name} onError={() => (address.value = "")} />
    </button>
  );
}

function FileCard({ attachment, session }: OneProps): JSX.Element {
  const { attach } = words();
  const failed = useSignal(false);
  const get = async (): Promise<void> => {
    failed.value = !(await save(attachment, session));
  };
  return (
    <button class="file" type="button" data-testid="file" title={attach.save(attachment.name)} onClick={() => void get()}>
      <Icon name="file" />
      <span class="names">
        <bdi>{attachment.name}</bdi>
        <small>{failed.value ? attach.gone : sizeText(attachment.size, language.value)}</small>
      </span>
    </button>
  );
}

async function save(attachment: Attachment, session: Session): Promise<boolean> {
  try {
    downloadBlob(attachment.name, await session.attachment(attachment.id));
    return true;
  } catch {
    return false;
  }
}

/** The files that go with the next message, each with a way to leave it out. */
export function AttachingList({ attaching }: { attaching: AttachingFiles }): JSX.Element | null {
  const { attach } = words();
  if (attaching.files.value.length === 0) return null;
  return (
    <ul class="attaching" data-testid="attaching">
      {attaching.files.value.map(({ key, name, size, attachment, problem }) => (
        <li key={key} class={problem ? "bad" : undefined} data-state={problem ? "failed" : attachment ? "ready" : "sending"}>
          {attachment || problem ? <Icon name={problem ? "warning" : "file"} /> : <span class="spinner" />}
          <span class="names">
            <bdi>{name}</bdi>
            <small role={problem ? "alert" : undefined}>{problem ? attach.problems[problem] : sizeText(size, language.value)}</small>
          </span>
          <button class="icon-button" type="button" aria-label={attach.leaveOut(name)} onClick={() => attaching.remove(key)}>
            <Icon name="close" />
          </button>
        </li>
      ))}
    </ul>
  );
}
