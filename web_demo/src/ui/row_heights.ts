/**
 * Where the rows of a long list stand when only some of them are drawn: measured heights where there are any, and the
 * average of these for the others. Positions are pixels from the top of the first row.
 */

const FIRST_GUESS_PX = 96;

export class RowHeights {
  readonly #measured = new Map<string, number>();
  #sum = 0;
  #keys: readonly string[] = [];
  #index = new Map<string, number>();
  #tops: Float64Array | undefined;

  get count(): number {
    return this.#keys.length;
  }

  /** The rows from the first to the last. Heights of rows that come back are known still. */
  setKeys(keys: readonly string[]): void {
    if (keys.length === this.#keys.length && keys.every((key, index) => key === this.#keys[index])) return;
    this.#keys = keys;
    this.#index = new Map(keys.map((key, index) => [key, index]));
    this.#tops = undefined;
  }

  /** Notes how high a row is; false where that was known. */
  measure(key: string, height: number): boolean {
    const known = this.#measured.get(key);
    if (known !== undefined && Math.abs(known - height) < 0.5) return false;
    this.#measured.set(key, height);
    this.#sum += height - (known ?? 0);
    this.#tops = undefined;
    return true;
  }

  indexOf(key: string): number | undefined {
    return this.#index.get(key);
  }

  keyAt(index: number): string | undefined {
    return this.#keys[index];
  }

  /** Where row `index` begins; with the number of rows, where the last one ends. */
  top(index: number): number {
    return this.#positions()[index] ?? 0;
  }

  get total(): number {
    return this.top(this.count);
  }

  /** The row at `y`: the last one that begins there or above. */
  at(y: number): number {
    const tops = this.#positions();
    let [low, high] = [0, Math.max(0, this.count - 1)];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (tops[middle]! <= y) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  #positions(): Float64Array {
    if (this.#tops) return this.#tops;
    const guess = this.#measured.size > 0 ? this.#sum / this.#measured.size : FIRST_GUESS_PX;
    const tops = new Float64Array(this.count + 1);
    for (let index = 0; index < this.count; index += 1) {
      tops[index + 1] = tops[index]! + (this.#measured.get(this.#keys[index]!) ?? guess);
    }
    return (this.#tops = tops);
  }
}
