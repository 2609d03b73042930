/** The server's HTTP API as calls: `/api/v1`, errors as exceptions. */

import { SessionError, ThreadlineError } from "./errors.ts";
import { isJsonObject, type Json } from "./json.ts";
import { tokenOf, type TokenSource } from "./token.ts";
import { mappingOf, textOf } from "./document/values.ts";
import { tokenOf, type TokenSource } from "./token.ts";

const TIMEOUT_MS = 15_000;

export class HttpApi {
  readonly #base: string;
  readonly #token: TokenSource;

  constructor(url: string, token: TokenSource) {
    this.#base = new URL("api/v1", url.endsWith("/") ? url : `${url}/`).href;
    this.#token = token;
  }

  /** The answer's JSON, null for an empty one. Throws as `send`. */
  async ask(method: string, path: string, body?: object): Promise<Json> {
    const response = await this.send(method, path, body && JSON.stringify(body), "application/json");
    return response.status === 204 ? null : ((await response.json().catch(() => null)) as Json);
  }

  /** Throws ThreadlineError with the server's code; TypeError where it cannot be reached. */
  async send(method: string, path: string, body: string | Blob | undefined, type: string, timeout_ms = TIMEOUT_MS): Promise<Response> {
    const token = await tokenOf(this.#token);
    const response = await fetch(this.#base + path, {
      method,
      headers: { ...(token ? { Authorization: `Bearer ${token}` } : {}), ...(body === undefined ? {} : { "Content-Type": type }) },
      ...(body === undefined ? {} : { body }),
      signal: AbortSignal.timeout(timeout_ms),
    });
    if (response.ok) return response;
    throw errorOf((await response.json().catch(() => null)) as Json, response.status);
  }
}

/** The server's envelope, `{"error": {code, message, ...}}`, as an error. */
function errorOf(answer: Json, status: number): ThreadlineError {
  const error = mappingOf(isJsonObject(answer) ? answer["error"] : null);
  const code = textOf(error["code"], `http_${status}`);
  const message = textOf(error["message"], `The server answered with ${status}.`);
  return code.startsWith("session_") ? new SessionError(code, message) : new ThreadlineError(code, message);
}
