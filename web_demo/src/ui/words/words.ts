/** The language of the page: one table per language, English at once, the others when they are asked for. */

import { signal } from "@preact/signals";
import { en, type Words } from "./en.ts";

export type Language = "en" | "de" | "ar" | "zh";

export const LANGUAGES: Record<Language, { name: string; load: () => Promise<Words>; rtl?: boolean }> = {
  en: { name: "English", load: async () => en },
  de: { name: "Deutsch", load: async () => (await import("./de.ts")).de },
  ar: { name: "العربية", load: async () => (await import("./ar.ts")).ar, rtl: true },
  zh: { name: "中文", load: async () => (await import("./zh.ts")).zh },
};

const current = signal<Words>(en);
export const language = signal<Language>("en");

/** The words of the moment; a component that calls it is drawn again when the language changes. */
export function words(): Words {
  return current.value;
}

export async function speak(next: Language): Promise<void> {
  current.value = await LANGUAGES[next].load();
  language.value = next;
  document.documentElement.lang = next;
  document.documentElement.dir = LANGUAGES[next].rtl ? "rtl" : "ltr";
}

/** The first of the browser's languages that the page speaks. */
export function preferredLanguage(wanted: readonly string[] = navigator.languages): Language {
  const known = wanted.map((tag) => tag.split("-")[0]!).find((tag) => tag in LANGUAGES);
  return (known ?? "en") as Language;
}
