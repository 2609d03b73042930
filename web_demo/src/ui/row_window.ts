/** The part of a long list that is drawn, and a view that stays where it is while rows above it turn out otherwise. */

import { useSignal, type Signal } from "@preact/signals";
import { useEffect, useLayoutEffect, useMemo, useRef } from "preact/hooks";
import { RowHeights } from "./row_heights.ts";

/** Up to so many rows all are drawn: the browser's own search finds what is in them. */
const ALL_ROWS = 120;
/** So far above and below the view rows are drawn ahead, and so near its end may come before more are drawn. */
const AHEAD_PX = 1_200;
const NEAR_PX = 400;
const NEAR_END_PX = 80;

/** By these a person moves the view. */
const TOUCHES = ["wheel", "touchmove", "keydown", "pointerdown"] as const;

/** Browsers that keep the view still by themselves do it without breaking off a scroll that is under way. */
const KEEPS_STILL = CSS.supports("overflow-anchor", "auto");

interface Range {
  from: number;
  to: number;
}

export interface RowWindow {
  log: { current: HTMLDivElement | null };
  before: { current: HTMLDivElement | null };
  after: { current: HTMLDivElement | null };
  range: Range;
  atEnd: Signal<boolean>;
  onScroll: () => void;
  /** Gives a row's element to be measured, until the function that is given back is called. */
  observe: (element: Element, key: string) => () => void;
  toEnd: () => void;
  /** Puts a row near the top of the view. */
  toRow: (key: string) => void;
}

/** `keys` name the rows from the first to the last. */
export function useRowWindow(keys: readonly string[]): RowWindow {
  const drawn = useSignal<Range>({ from: 0, to: 0 });
  const atEnd = useSignal(true);
  const view = useMemo(() => new View(drawn, atEnd), []);
  const [log, before, after] = [useRef<HTMLDivElement>(null), useRef<HTMLDivElement>(null), useRef<HTMLDivElement>(null)];
  view.rows.setKeys(keys);
  const range = view.rangeFor(drawn.value);
  useLayoutEffect(() => {
    view.attach(log.current!, before.current!, after.current!);
    view.place(range);
  });
  useEffect(() => () => view.end(), []);
  return {
    log,
    before,
    after,
    range,
    atEnd,
    onScroll: () => view.scrolled(),
    observe: (element, key) => view.observe(element, key),
    toEnd: () => view.toEnd(),
    toRow: (key) => view.toRow(key),
  };
}

class View {
  readonly rows = new RowHeights();
  readonly #drawn: Signal<Range>;
  readonly #atEnd: Signal<boolean>;
  readonly #keyOf = new Map<Element, string>();
  readonly #observer = new ResizeObserver((entries) => this.#measured(entries));
  #log: HTMLElement | undefined;
  #before: HTMLElement | undefined;
  #after: HTMLElement | undefined;
  #range: Range = { from: 0, to: 0 };
  /** What stands still: a row, and how far below its top the view begins. */
  #anchor: { key: string; below: number } | undefined;
  #scrolledTo = 0;
  /** A row was asked for, and nobody has touched the view since. */
  #seeking = false;

  constructor(drawn: Signal<Range>, atEnd: Signal<boolean>) {
    this.#drawn = drawn;
    this.#atEnd = atEnd;
  }

  attach(log: HTMLElement, before: HTMLElement, after: HTMLElement): void {
    if (this.#log === log) return;
    [this.#log, this.#before, this.#after] = [log, before, after];
    this.#observer.observe(log);
    for (const touch of TOUCHES) log.addEventListener(touch, () => (this.#seeking = false), { passive: true });
  }

  end(): void {
    this.#observer.disconnect();
  }

  /** What is to be drawn of the rows as they are now, where `wanted` was drawn last. */
  rangeFor(wanted: Range): Range {
    const { count } = this.rows;
    if (count <= ALL_ROWS) return { from: 0, to: count };
    if (this.#atEnd.peek()) return { from: this.rows.at(this.rows.total - this.#height - AHEAD_PX), to: count };
    return { from: Math.min(wanted.from, count), to: Math.min(wanted.to, count) };
  }

  /** Makes room for the rows that are not drawn, and puts the view back where it was. */
  place(range: Range): void {
    this.#range = range;
    const { rows } = this;
    this.#before!.style.height = `${rows.top(range.from)}px`;
    this.#after!.style.height = `${rows.total - rows.top(range.to)}px`;
    this.#keepStill();
    if (this.#isNearEdge(this.#log!.scrollTop - this.#start)) this.#draw();
  }

  observe(element: Element, key: string): () => void {
    this.#keyOf.set(element, key);
    this.#observer.observe(element);
    return () => {
      this.#keyOf.delete(element);
      this.#observer.unobserve(element);
    };
  }

  toEnd(): void {
    this.#atEnd.value = true;
    this.#anchor = undefined;
    this.#keepStill();
  }

  toRow(key: string): void {
    if (this.rows.indexOf(key) === undefined) return;
    this.#atEnd.value = false;
    this.#anchor = { key, below: -NEAR_END_PX };
    this.#seeking = true;
    this.#keepStill();
    this.#draw();
  }

  scrolled(): void {
    const { scrollTop, scrollHeight, clientHeight } = this.#log!;
    // Only a person scrolls up; what streams in moves the end away without moving the view.
    if (scrollHeight - scrollTop - clientHeight < NEAR_END_PX) this.#atEnd.value = true;
    else if (scrollTop < this.#scrolledTo - 1 && this.#atEnd.peek()) {
      this.#drawn.value = this.#range;
      this.#atEnd.value = false;
    }
    this.#scrolledTo = scrollTop;
    if (!this.#seeking) this.#anchor = this.#anchorAt(scrollTop - this.#start);
    if (this.#isNearEdge(scrollTop - this.#start)) this.#draw();
  }

  get #height(): number {
    return this.#log?.clientHeight ?? window.innerHeight;
  }

  /** Where the first row begins in what is scrolled. */
  get #start(): number {
    return this.#before?.offsetTop ?? 0;
  }

  #anchorAt(y: number): { key: string; below: number } | undefined {
    const index = this.rows.at(Math.max(0, y));
    const key = this.rows.keyAt(index);
    return key === undefined ? undefined : { key, below: y - this.rows.top(index) };
  }

  #isNearEdge(y: number): boolean {
    const { rows } = this;
    const { from, to } = this.#range;
    return (from > 0 && y - NEAR_PX < rows.top(from)) || (to < rows.count && y + this.#height + NEAR_PX > rows.top(to));
  }

  /** Draws what is around the view. */
  #draw(): void {
    const { rows } = this;
    const y = this.#log!.scrollTop - this.#start;
    this.#drawn.value = { from: rows.at(y - AHEAD_PX), to: Math.min(rows.count, rows.at(y + this.#height + AHEAD_PX) + 1) };
  }

  #measured(entries: readonly ResizeObserverEntry[]): void {
    let changed = false;
    for (const { target, borderBoxSize, contentRect } of entries) {
      const key = this.#keyOf.get(target);
      const height = borderBoxSize[0]?.blockSize ?? contentRect.height;
      // A row of a page that is not shown has no height.
      if (key === undefined) changed = true;
      else if (height > 0) changed = this.rows.measure(key, height) || changed;
    }
    if (changed && this.#log?.isConnected) this.place(this.#range);
  }

  #keepStill(): void {
    const log = this.#log!;
    const wanted = this.#atEnd.peek() ? log.scrollHeight - log.clientHeight : this.#anchored();
    if (!this.#atEnd.peek() && KEEPS_STILL && !this.#seeking) return;
    if (wanted === undefined || Math.abs(log.scrollTop - wanted) < 1) return;
    log.scrollTop = wanted;
    this.#scrolledTo = log.scrollTop;
  }

  #anchored(): number | undefined {
    const index = this.#anchor && this.rows.indexOf(this.#anchor.key);
    return index === undefined ? undefined : this.#start + this.rows.top(index) + this.#anchor!.below;
  }
}
