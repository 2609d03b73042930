/** Files on their way to the server, until the message that names them is sent. */

import { signal, type Signal } from "@preact/signals";
import { ThreadlineError, type Attachment, type Session } from "../threadline/index.ts";

export type Problem = "offline" | "tooLarge" | "type" | "full" | "refused";

const CODES: Record<string, Problem> = {
  content_too_large: "tooLarge",
  attachment_refused: "type",
  limit_exceeded: "full",
};

/** `attachment` is there once the server has the file, `problem` where it will not take it. */
export interface Attaching {
  readonly key: number;
  readonly name: string;
  readonly size: number;
  readonly attachment: Attachment | undefined;
  readonly problem: Problem | undefined;
}

export class AttachingFiles {
  readonly files: Signal<readonly Attaching[]> = signal([]);
  readonly #session: Session;
  #next = 0;

  constructor(session: Session) {
    this.#session = session;
  }

  /** Whether a file is still being sent, so that the message has to wait for it. */
  get busy(): boolean {
    return this.files.value.some(({ attachment, problem }) => !attachment && !problem);
  }

  add(files: Iterable<File>): void {
    for (const file of files) void this.#send(file);
  }

  remove(key: number): void {
    this.files.value = this.files.value.filter((file) => file.key !== key);
  }

  /** What is there, for the message; nothing is left. */
  take(): Attachment[] {
    const taken = this.files.value.map(({ attachment }) => attachment).filter((attachment) => attachment !== undefined);
    this.files.value = [];
    return taken;
  }

  async #send(file: File): Promise<void> {
    const key = this.#next++;
    const { name, size } = file;
    this.files.value = [...this.files.value, { key, name, size, attachment: undefined, problem: undefined }];
    try {
      const attachment = await this.#session.attach(name, file, file.type);
      this.#change(key, { attachment });
    } catch (error) {
      this.#change(key, { problem: problemOf(error) });
    }
  }

  #change(key: number, change: Partial<Attaching>): void {
    this.files.value = this.files.value.map((file) => (file.key === key ? { ...file, ...change } : file));
  }
}

/** Why a file was not taken: the server's code, or that there is no server to be reached. */
function problemOf(error: unknown): Problem {
  if (!(error instanceof ThreadlineError)) return "offline";
  return error.code in CODES ? CODES[error.code]! : "refused";
}
