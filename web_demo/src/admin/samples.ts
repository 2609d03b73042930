/** Numbers over time, as the plots show them: levels as they were read, totals as rates. */

import type { Overview } from "./overview.ts";

export const MOST_SAMPLES = 90;

export interface Sample {
  at_ms: number;
  numbers: Record<string, number>;
}

/** `samples` with another one, and without those that are too old to be shown or of a server before a restart. */
export function withSample(samples: readonly Sample[], { at_ms, numbers }: Overview): Sample[] {
  const last = samples.at(-1);
  const restarted = last !== undefined && uptime(numbers) !== uptime(last.numbers);
  return [...(restarted ? [] : samples), { at_ms, numbers }].slice(-MOST_SAMPLES);
}

function uptime(numbers: Record<string, number>): number | undefined {
  return numbers["process_start_time_seconds"];
}

/** The level `name` at each sample. */
export function levels(samples: readonly Sample[], name: string): number[] {
  return samples.map(({ numbers }) => numbers[name] ?? 0);
}

/** How fast `name` grew from each sample to the next, per second. */
export function rates(samples: readonly Sample[], name: string): number[] {
  return samples.slice(1).map((sample, index) => {
    const former = samples[index]!;
    const seconds = (sample.at_ms - former.at_ms) / 1000;
    const grown = (sample.numbers[name] ?? 0) - (former.numbers[name] ?? 0);
    return seconds > 0 ? Math.max(0, grown / seconds) : 0;
  });
}
