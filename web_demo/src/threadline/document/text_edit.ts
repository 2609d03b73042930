/** An edit of a text as the smallest splice, so that what others typed meanwhile stays. */

export interface Splice {
  index: number;
  remove: number;
  insert: string;
}

/** What turns `before` into `after`: everything between their common prefix and suffix. Null when they are equal. */
export function spliceBetween(before: string, after: string): Splice | null {
  if (before === after) return null;
  const most = Math.min(before.length, after.length);
  let prefix = 0;
  while (prefix < most && before[prefix] === after[prefix]) prefix += 1;
  if (splitsPair(before, prefix) || splitsPair(after, prefix)) prefix -= 1;
  let suffix = 0;
  while (suffix < most - prefix && before.at(-1 - suffix) === after.at(-1 - suffix)) suffix += 1;
  if (splitsPair(before, before.length - suffix) || splitsPair(after, after.length - suffix)) suffix -= 1;
  return {
    index: prefix,
    remove: before.length - prefix - suffix,
    insert: after.slice(prefix, after.length - suffix),
  };
}

/** Whether `index` lies between the halves of a surrogate pair: the server refuses an edit there. */
function splitsPair(text: string, index: number): boolean {
  if (index <= 0 || index >= text.length) return false;
  const [before, after] = [text.charCodeAt(index - 1), text.charCodeAt(index)];
  return before >= 0xd800 && before < 0xdc00 && after >= 0xdc00 && after < 0xe000;
}

/** Where a caret at `caret` stands after `splice` by somebody else. */
export function shiftCaret(caret: number, splice: Splice): number {
  if (caret <= splice.index) return caret;
  const end = splice.index + splice.remove;
  return caret < end ? splice.index + splice.insert.length : caret - splice.remove + splice.insert.length;
}
