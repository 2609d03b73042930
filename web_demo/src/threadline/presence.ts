/** Who is here: the awareness states of one session, one's own among them. */

import type { Awareness } from "y-protocols/awareness";
import { textOf } from "./document/values.ts";
import type { Json } from "./json.ts";

/** One device that is here. The server sets the identity fields; `state` holds everything it says of itself. */
export interface Present {
  client_id: number;
  user: string;
  device: string;
  name: string;
  mine: boolean;
  state: Readonly<Record<string, unknown>>;
}

export class Presence {
  readonly #awareness: () => Awareness | null;

  constructor(awareness: () => Awareness | null) {
    this.#awareness = awareness;
  }

  /** Everyone who is here, oneself first, then by user and device. */
  all(): Present[] {
    const awareness = this.#awareness();
    if (!awareness) return [];
    const present = [...awareness.getStates()].map(([client, state]) => read(client, state, awareness.clientID));
    return present.filter(({ user }) => user !== "").sort(compare);
  }

  get users(): string[] {
    return [...new Set(this.all().map(({ user }) => user))].sort();
  }

  /** Changes fields of one's own state; null removes one. */
  set(fields: Record<string, Json>): void {
    const awareness = this.#awareness();
    if (!awareness) return;
    const merged = Object.entries({ ...awareness.getLocalState(), ...fields }).filter(([, value]) => value !== null);
    awareness.setLocalState(Object.fromEntries(merged));
  }
}

function read(client: number, state: Record<string, unknown>, own: number): Present {
  const [user, device, name] = [textOf(state["user"]), textOf(state["device"]), textOf(state["name"])];
  return { client_id: client, user, device, name: name || user, mine: client === own, state };
}

function compare(left: Present, right: Present): number {
  if (left.mine !== right.mine) return left.mine ? -1 : 1;
  return left.user.localeCompare(right.user) || left.device.localeCompare(right.device) || left.client_id - right.client_id;
}
