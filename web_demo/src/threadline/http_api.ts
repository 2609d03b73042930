/** The server's HTTP API as calls: `/api/v1`, errors as exceptions. */

import { mappingOf, textOf } from "./document/values.ts";
import { SessionError, ThreadlineError } from "./errors.ts";
import { isJsonObject, type Json } from "./json.ts";
import { tokenOf, type TokenSource } from "./token.ts";

const TIMEOUT_MS = 15_000;
const FILE_TIMEOUT_MS = 120_000;

interface Body {
  content: string | Blob;
  type: string;
}

export class HttpApi {
  readonly #base: string;
  readonly #token: TokenSource;

  constructor(url: string, token: TokenSource) {
    this.#base = new URL("api/v1", url.endsWith("/") ? url : `${url}/`).href;
    this.#token = token;
  }

  /** The answer's JSON, null for an empty one. Throws ThreadlineError with the server's code; TypeError where it cannot be reached. */
  async call(method: string, path: string, body?: object): Promise<Json> {
    const content = body && { content: JSON.stringify(body), type: "application/json" };
    const response = await this.#send(method, path, content, TIMEOUT_MS);
    return response.status === 204 ? null : ((await response.json().catch(() => null)) as Json);
  }

  /** POSTs `content` as it is; the answer's JSON. Throws as `call`. */
  async upload(path: string, content: Blob, type: string): Promise<Json> {
    return (await (await this.#send("POST", path, { content, type }, FILE_TIMEOUT_MS)).json()) as Json;
  }

  /** The answer's bytes. Throws as `call`. */
  async download(path: string): Promise<Blob> {
    return (await this.#send("GET", path, undefined, FILE_TIMEOUT_MS)).blob();
  }

  async #send(method: string, path: string, body: Body | undefined, timeout_ms: number): Promise<Response> {
    const token = await tokenOf(this.#token);
    const response = await fetch(this.#base + path, {
      method,
      headers: { ...(token ? { Authorization: `Bearer ${token}` } : {}), ...(body ? { "Content-Type": body.type } : {}) },
      ...(body ? { body: body.content } : {}),
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
