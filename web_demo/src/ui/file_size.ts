/** Sizes of files as people read them. */

const UNITS = ["byte", "kilobyte", "megabyte", "gigabyte"] as const;
const STEP = 1000;

/** 21 bytes, 3.4 kB, 12 MB in the words of `language`. */
export function sizeText(bytes: number, language: string): string {
  const power = bytes < STEP ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log(bytes) / Math.log(STEP)));
  const value = bytes / STEP ** power;
  const form = { style: "unit", unit: UNITS[power]!, unitDisplay: "short", maximumFractionDigits: value < 10 && power ? 1 : 0 };
  return new Intl.NumberFormat(language, form as Intl.NumberFormatOptions).format(value);
}
