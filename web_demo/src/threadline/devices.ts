/** Devices of a user: listing them, signing one off, and letting a further one in ("continue on my phone"). */

import { HttpApi } from "./http_api.ts";

/** A linked device (`kind` device) or a key of a service; `current`: it is what this client uses. */
export interface Key {
  id: string;
  label: string;
  kind: "device" | "service";
  created_s: number;
  expires_s: number | null;
  current: boolean;
}

/** How a link stands; `device` and `number` are what the other device calls itself and shows, once it has claimed it. */
export interface DeviceLinkView {
  id: string;
  stage: "waiting" | "claimed" | "confirmed" | "refused";
  device: string;
  number: string;
  expires_s: number;
  interval_s: number;
}

/** What a new device is given: the token to connect with from now on, and where to go on. */
export interface LinkedDevice {
  token: string;
  user: string;
  name: string;
  session: string;
}

/** Who this client is to the server. */
export interface Me {
  user: string;
  name: string;
  proof: "name" | "signed" | "service" | "device";
  expires_s: number | null;
}

export class DeviceLink {
  /** What the other device types, good once. */
  readonly code: string;
  view: DeviceLinkView;
  readonly #api: HttpApi;
  #answered = false;

  constructor(api: HttpApi, made: DeviceLinkView & { code: string }) {
    this.#api = api;
    this.code = made.code;
    this.view = made;
  }

  /**
   * How it stands now. Throws with the code `link_not_found` when it was used, or is too old; not once it was answered
   * here, since the other device uses it up right after that.
   */
  async look(): Promise<DeviceLinkView> {
    if (this.#answered) return this.view;
    const seen = await this.#api.call("GET", this.#path).catch((error: unknown) => {
      if (!this.#answered) throw error;
    });
    if (!this.#answered) this.view = seen as unknown as DeviceLinkView;
    return this.view;
  }

  /** Lets the device in that has claimed the code. */
  async confirm(): Promise<void> {
    this.view = await this.#answer(async () => (await this.#api.call("POST", `${this.#path}/confirm`)) as unknown as DeviceLinkView);
  }

  /** Turns that device away, or takes the code back. */
  async refuse(): Promise<void> {
    this.view = await this.#answer(async () => {
      await this.#api.call("DELETE", this.#path);
      return { ...this.view, stage: "refused" };
    });
  }

  async #answer(answer: () => Promise<DeviceLinkView>): Promise<DeviceLinkView> {
    this.#answered = true;
    try {
      return await answer();
    } catch (error) {
      this.#answered = false;
      throw error;
    }
  }

  get #path(): string {
    return `/device-links/${this.view.id}`;
  }
}

export class Devices {
  readonly #api: HttpApi;

  constructor(api: HttpApi) {
    this.#api = api;
  }

  async me(): Promise<Me> {
    return (await this.#api.call("GET", "/me")) as unknown as Me;
  }

  /** This user's linked devices and keys, oldest first. */
  async list(): Promise<Key[]> {
    const { keys } = (await this.#api.call("GET", "/keys")) as unknown as { keys: Key[] };
    return keys;
  }

  /** Signs a device off; what it has open ends on every node within a second. */
  async revoke(id: string): Promise<void> {
    await this.#api.call("DELETE", `/keys/${encodeURIComponent(id)}`);
  }

  /** A code for another device of this user; `session` is where it goes on. */
  async link(session = ""): Promise<DeviceLink> {
    return new DeviceLink(this.#api, (await this.#api.call("POST", "/device-links", { session })) as unknown as DeviceLinkView & { code: string });
  }

  /** What an address may carry in place of a token: good once, for a minute. */
  async ticket(): Promise<string> {
    const { ticket } = (await this.#api.call("POST", "/tickets")) as unknown as { ticket: string };
    return ticket;
  }
}

/** How a server wants to know people: by a name, a code at its terminal, or a token. */
export async function sign_in_way(url: string): Promise<"none" | "pairing" | "token"> {
  const { way } = (await new HttpApi(url, "").call("GET", "/sign-in")) as unknown as { way: "none" | "pairing" | "token" };
  return way;
}

/** Who a token is for. Throws with the code `unauthorized` for one that is not taken. */
export async function who_is(url: string, token: string): Promise<Me> {
  return new Devices(new HttpApi(url, token)).me();
}

/** A device token of this device's own, given by a token that will not last. */
export async function stay_signed_in(url: string, token: string, device: string): Promise<LinkedDevice> {
  const link = await new Devices(new HttpApi(url, token)).link();
  const api = new HttpApi(url, "");
  const { claim } = await claimed(api, link.code, device);
  await link.confirm();
  return exchanged(api, claim);
}

/**
 * Uses a code of another device, and waits until that one confirms; `show` is told the number to compare.
 *
 * Throws with the code `expired_token` for a code that is wrong, used or too old, and `access_denied` for a no.
 */
export async function link_device(url: string, code: string, device: string, show: (number: string) => void, signal?: AbortSignal): Promise<LinkedDevice> {
  const api = new HttpApi(url, "");
  const { claim, number, interval_s } = await claimed(api, code, device);
  show(number);
  for (;;) {
    const answer = await exchanged(api, claim);
    if (answer.stage === "confirmed") return answer;
    await new Promise((resolve) => setTimeout(resolve, interval_s * 1000));
    signal?.throwIfAborted();
  }
}

async function claimed(api: HttpApi, code: string, device: string): Promise<Claimed> {
  return (await api.call("POST", "/device-links/claim", { code, device })) as unknown as Claimed;
}

async function exchanged(api: HttpApi, claim: string): Promise<LinkedDevice & { stage: string }> {
  return (await api.call("POST", "/device-links/exchange", { claim })) as unknown as LinkedDevice & { stage: string };
}

interface Claimed {
  claim: string;
  number: string;
  interval_s: number;
}
