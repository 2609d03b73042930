/** What a conversation is called that nobody has named: the first words that were said in it. */

const TITLE_CHARS = 60;

export function firstWords(text: string): string {
  const line = text.trim().split("\n")[0] ?? "";
  return line.length > TITLE_CHARS ? `${line.slice(0, TITLE_CHARS).trimEnd()}…`.toWellFormed() : line;
}
