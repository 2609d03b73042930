/** The other language: a Python process that edits replicas when it is asked to. */

import { spawn, type ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";

const LOCAL = new URL("../../.venv/bin/python", import.meta.url).pathname;
const PYTHON = existsSync(LOCAL) ? LOCAL : "python3";

export type Edit =
  | ["set", string, unknown]
  | ["append", string, unknown]
  | ["add", string, number]
  | ["insert", number, string];

export class PythonPeer {
  readonly #process: ChildProcess;
  readonly #answers: AsyncIterator<string>;

  constructor() {
    const script = new URL("python_peer.py", import.meta.url).pathname;
    this.#process = spawn(PYTHON, [script], { stdio: ["pipe", "pipe", "inherit"] });
    this.#answers = createInterface(this.#process.stdout!)[Symbol.asyncIterator]();
  }

  /** Why the server's table would refuse the entry to a device in `role`; null where it would not. */
  async judge(role: string, root: string, key: string, value: unknown): Promise<string | null> {
    return ((await this.#ask({ judge: [role, root, key, value] })) as { reason: string | null }).reason;
  }

  /** The replica that holds `update`, after `edits`: all of it in hex, and the digest of the session in it. */
  async edit(update: string, edits: Edit[]): Promise<{ update: string; digest: string }> {
    return (await this.#ask({ update, edits })) as { update: string; digest: string };
  }

  async #ask(request: object): Promise<unknown> {
    this.#process.stdin!.write(`${JSON.stringify(request)}\n`);
    const { value, done } = await this.#answers.next();
    if (done) throw new Error("The Python peer has ended.");
    return JSON.parse(value as string) as unknown;
  }

  stop(): void {
    this.#process.kill();
  }
}
