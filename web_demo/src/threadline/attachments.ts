/** Small files that messages name: what a message says of one is anybody's word, so it is read with care. */

import { isJsonObject, type Json } from "./json.ts";

/** `size` is in bytes, as whoever wrote the message says. */
export type Attachment = {
  readonly id: string;
  readonly name: string;
  readonly type: string;
  readonly size: number;
};

const MAX_NAME_CHARS = 200;

/** Characters that are not seen, and those that make a name read in another order than it is. */
// oxlint-disable-next-line no-control-regex
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

/** The files that `attachments` of a message name; what is not one is left out. */
export function readAttachments(attachments: readonly Json[]): Attachment[] {
  return attachments.map(readAttachment).filter((attachment) => attachment !== undefined);
}

function readAttachment(value: Json): Attachment | undefined {
  if (!isJsonObject(value)) return undefined;
  const { id, name, type, size } = value;
  if (typeof id !== "string" || !/^[\w.-]{1,64}$/.test(id) || typeof name !== "string") return undefined;
  return {
    id,
    name: name.replace(UNSEEN, "").slice(0, MAX_NAME_CHARS) || id,
    type: typeof type === "string" ? type : "",
    size: typeof size === "number" && size >= 0 ? size : 0,
  };
}
