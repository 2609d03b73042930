/**
 * The transcript as a tree: a message that was edited or answered again has versions, and one line is shown.
 *
 * A reply's `parent` is its question. A question's `parent` is the message that it follows, `start` for none; without
 * one it follows the question before it in transcript order, or the answer to that. So replies stand after their
 * questions, however quickly these were asked, and a question with the parent of another is a version of it.
 * `threadline/document/branches.py` reads transcripts in the same way.
 */

import type { Message } from "../messages.ts";

/** The `parent` of a version of the first question. */
export const START = "start";

export interface Placed {
  readonly message: Message;
  /** What it follows, `start` for nothing: by this its versions are chosen. */
  readonly above: string;
  /** Where among its versions this one stands, from 1, and their ids in transcript order. */
  readonly version: number;
  readonly versions: readonly string[];
}

/** Which version is shown, by the id of the message above; where none is chosen, the newest question's line is. */
export type Choices = ReadonlyMap<string, string>;

/** The line of `messages`, which are in transcript order, that `choices` and the newest question lead to. */
export function lineOf(messages: readonly Message[], choices: Choices = new Map()): Placed[] {
  const tree = new Tree(messages);
  const newest = messages.findLast(isQuestion);
  const usual = new Set(newest ? tree.above(newest.id) : []);
  const line: Placed[] = tree.notes(START);
  let above = START;
  for (let below = tree.below(above); below.length > 0; below = tree.below(above)) {
    const chosen = choices.get(above);
    const message =
      below.find(({ id }) => id === chosen) ?? below.findLast(({ id }) => usual.has(id)) ?? below.at(-1)!;
    const versions = below.map(({ id }) => id);
    line.push({ message, above, version: versions.indexOf(message.id) + 1, versions }, ...tree.notes(message.id));
    above = message.id;
  }
  return line;
}

/** What a version of `question` has as its parent. */
export function parentOf(messages: readonly Message[], question: string): string {
  return new Tree(messages).parents.get(question) ?? START;
}

/** A message that a person said, whether or not somebody answers it. */
function isQuestion({ role }: Message): boolean {
  return role === "user";
}

class Tree {
  readonly parents = new Map<string, string>();
  readonly #below = new Map<string, Message[]>();
  /** What is neither a question nor the reply to one stands after the message that it came after. */
  readonly #notes = new Map<string, Message[]>();

  constructor(messages: readonly Message[]) {
    const order = new Map(messages.map(({ id }, index) => [id, index]));
    const replies = new Map<string, Message[]>();
    for (const message of messages) {
      const asked = questionOf(message, messages, order);
      if (asked) add(replies, asked, message);
    }
    let [question, before] = ["", START];
    for (const message of messages) {
      const asked = questionOf(message, messages, order);
      if (!isQuestion(message) && !asked) {
        add(this.#notes, before, message);
        continue;
      }
      const above = asked ?? this.#placeOf(message, question, order, replies);
      this.parents.set(message.id, above);
      add(this.#below, above, message);
      if (isQuestion(message)) question = message.id;
      before = message.id;
    }
  }

  /** What a question follows. Only what has its place already counts, replies apart, so that no circle can arise. */
  #placeOf(
    { id, parent }: Message,
    question: string,
    order: ReadonlyMap<string, number>,
    replies: ReadonlyMap<string, readonly Message[]>,
  ): string {
    if (parent === START) return START;
    const followed = parent !== undefined && this.parents.has(parent) ? parent : question;
    if (followed === "") return START;
    const answers = replies.get(followed) ?? [];
    return (answers.findLast((answer) => order.get(answer.id)! < order.get(id)!) ?? answers[0])?.id ?? followed;
  }

  below(id: string): readonly Message[] {
    return this.#below.get(id) ?? [];
  }

  notes(id: string): Placed[] {
    return (this.#notes.get(id) ?? []).map((message) => ({ message, above: id, version: 1, versions: [message.id] }));
  }

  /** The message and what it follows, up to the start. */
  *above(id: string): Generator<string> {
    for (let at: string | undefined = id; at !== undefined && at !== START; at = this.parents.get(at)) yield at;
  }
}

function add(lists: Map<string, Message[]>, key: string, message: Message): void {
  const list = lists.get(key);
  if (list) list.push(message);
  else lists.set(key, [message]);
}

/** The question that `message` replies to; undefined for none before it. */
function questionOf(message: Message, messages: readonly Message[], order: ReadonlyMap<string, number>): string | undefined {
  const place = order.get(message.parent ?? "");
  if (isQuestion(message) || place === undefined || place > order.get(message.id)!) return undefined;
  return isQuestion(messages[place]!) ? message.parent : undefined;
}
