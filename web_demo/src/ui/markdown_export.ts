/** A session as a transcript for people: a heading per message, its text as it is. */

import type { Exported, Message } from "../threadline/index.ts";

export function toMarkdown({ title, session_id, messages }: Pick<Exported, "title" | "session_id" | "messages">): string {
  const parts = messages.map((message) => `## ${heading(message)}\n\n${message.text}`);
  return `${[`# ${title || session_id}`, ...parts].join("\n\n")}\n`;
}

function heading({ author, role, created_at }: Message): string {
  const at = new Date(created_at).toISOString().slice(0, 16).replace("T", " ");
  return `${author.name || author.user || role} (${role}, ${at} UTC)`;
}
