/** Theme and language, as this browser remembers them or the system wants them. */

import { effect } from "@preact/signals";
import { savedLanguage, theme } from "./settings.ts";
import { LANGUAGES, preferredLanguage, speak, type Language } from "./words/words.ts";

/** Applies both; the theme is followed from then on. A language that cannot be fetched leaves English. */
export async function startAppearance(): Promise<void> {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const apply = (): void => {
    const wanted = theme.value === "system" ? (dark.matches ? "dark" : "light") : theme.value;
    document.documentElement.dataset["theme"] = wanted;
  };
  dark.addEventListener("change", apply);
  effect(apply);
  const remembered = savedLanguage();
  const language: Language = remembered && remembered in LANGUAGES ? remembered : preferredLanguage();
  await speak(language).catch(() => undefined);
}
