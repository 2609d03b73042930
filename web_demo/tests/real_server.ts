/** A real Threadline server as a process of its own, on a free port and on data of its own. */

import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const LOCAL = new URL("../../.venv/bin/threadline", import.meta.url).pathname;
const COMMAND = process.env["THREADLINE"] ?? (existsSync(LOCAL) ? LOCAL : "threadline");
const DEMO_AGENT = "threadline.agents.travel:agent";

export class RealServer {
  readonly url: string;
  readonly #process: ChildProcess;
  readonly #data: string;

  static async start(...more: string[]): Promise<RealServer> {
    const data = mkdtempSync(join(tmpdir(), "threadline-web-"));
    const process = spawn(COMMAND, ["serve", "--port", "0", "--data", data, "--agent", DEMO_AGENT, ...more], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    const said: string[] = [];
    const url = await new Promise<string>((resolve, reject) => {
      process.on("error", reject);
      process.on("exit", (code) => reject(new Error(`The server ended with ${code}:\n${said.join("\n")}`)));
      for (const stream of [process.stdout!, process.stderr!]) {
        createInterface(stream).on("line", (line) => {
          said.push(line);
          const found = /listening on (http:\/\/\S+)/i.exec(line);
          if (found) resolve(found[1]!);
        });
      }
    });
    return new RealServer(url, process, data);
  }

  private constructor(url: string, process: ChildProcess, data: string) {
    this.url = url;
    this.#process = process;
    this.#data = data;
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.#process.once("exit", resolve));
    this.#process.kill("SIGKILL");
    await ended;
    rmSync(this.#data, { recursive: true, force: true });
  }
}
