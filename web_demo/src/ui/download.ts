/** Hands content to the browser as a file. */

export function download(name: string, content: unknown): void {
  downloadText(name, JSON.stringify(content, null, 2), "application/json");
}

export function downloadText(name: string, text: string, type: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
