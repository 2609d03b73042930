/** How far the person has read, on whichever device, and the line above what is new since then. */

import { signal, type ReadonlySignal, type Signal } from "@preact/signals";
import type { Message, Session } from "../threadline/index.ts";

export class Reading {
  /** The first message that was not read when the person came; undefined where there is none. */
  readonly firstNew: Signal<string | undefined> = signal(undefined);
  /** Whether what is in view counts as read: everything is here, and somebody can see it. */
  readonly counts: Signal<boolean> = signal(false);
  readonly #session: Session;
  readonly #messages: ReadonlySignal<readonly Message[]>;

  constructor(session: Session, messages: ReadonlySignal<readonly Message[]>) {
    this.#session = session;
    this.#messages = messages;
  }

  /** What is new is known when everything is here, the other devices' markers included. Gives back what ends it. */
  begin(): () => void {
    let ended = false;
    let settled = false;
    const onVisible = (): void => {
      const counts = settled && !document.hidden;
      if (counts) this.#look();
      this.counts.value = counts;
    };
    document.addEventListener("visibilitychange", onVisible);
    this.#session.joined().then(
      () => {
        if (ended) return;
        settled = true;
        onVisible();
      },
      () => undefined, // closed, or refused: there is nothing to read on
    );
    return () => {
      ended = true;
      document.removeEventListener("visibilitychange", onVisible);
    };
  }

  /** The end of the conversation is in view, and that counts. */
  seenToEnd(): void {
    const last = this.#messages.peek().findLast(({ seq }) => seq);
    if (last?.seq) this.#session.read.mark(last.seq[0]);
  }

  #look(): void {
    const upTo = this.#session.read.up_to;
    const { user } = this.#session;
    if (upTo === 0) return;
    const first = this.#session.messages.all().find(({ seq, author }) => seq && seq[0] > upTo && author.user !== user);
    this.firstNew.value = first?.id ?? this.firstNew.peek();
  }
}
