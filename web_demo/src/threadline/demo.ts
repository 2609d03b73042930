/** A server that is tried out with `threadline demo`, and what may be done to it. */

import { mappingOf } from "./document/values.ts";
import type { HttpApi } from "./http_api.ts";

export class Demo {
  readonly #api: HttpApi;

  constructor(api: HttpApi) {
    this.#api = api;
  }

  /** Whether the node may be killed: somebody starts it again. */
  async can_kill(): Promise<boolean> {
    return mappingOf(await this.#api.call("GET", "/demo"))["can_kill"] === true;
  }

  /** Kills the node as `kill -9` does: nothing is flushed, nobody is told. */
  async kill(): Promise<void> {
    await this.#api.call("POST", "/demo/kill");
  }
}
