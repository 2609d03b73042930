/** Waiting on conditions. */

const STEP_MS = 5;
const MOST_MS = 8_000;

/** Resolves as soon as `holds` gives something truthy, with that; throws after a while, saying `what` never came. */
export async function until<Value>(what: string, holds: () => Value | Promise<Value>): Promise<NonNullable<Value>> {
  const end = Date.now() + MOST_MS;
  for (;;) {
    const value = await holds();
    if (value) return value;
    if (Date.now() > end) throw new Error(`never: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, STEP_MS));
  }
}
