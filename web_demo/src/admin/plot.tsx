import type { JSX } from "preact";

const WIDTH = 260;
const HEIGHT = 64;
const TOP = 4;
const LEAST_STEPS = 6;

interface PlotProps {
  name: string;
  values: readonly number[];
  /** A value as people read it. */
  text: (value: number) => string;
  highest: (text: string) => string;
}

/** One number over the last minutes: its value now, its course, and the highest it was. */
export function Plot({ name, values, text, highest }: PlotProps): JSX.Element {
  const now = values.at(-1);
  const most = Math.max(0, ...values);
  const shown = now === undefined ? "–" : text(now);
  return (
    <figure class="plot" data-testid="plot">
      <figcaption>
        <span class="name">{name}</span>
        <span class="figures">
          <strong>{shown}</strong>
          <small aria-hidden="true">{highest(text(most))}</small>
        </span>
      </figcaption>
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label={`${name}: ${shown}, ${highest(text(most))}`}>
        <line x1="0" x2={WIDTH} y1={TOP} y2={TOP} />
        <line x1="0" x2={WIDTH} y1={HEIGHT / 2} y2={HEIGHT / 2} />
        {values.length > 1 && <path class="area" d={`${course(values, most)} V${HEIGHT} H${across(values, 0)} Z`} />}
        {values.length > 1 && <path class="course" d={course(values, most)} />}
      </svg>
    </figure>
  );
}

/** The newest value stands at the right edge; a course that has just begun is drawn wider. */
function across(values: readonly number[], index: number): number {
  const steps = Math.max(LEAST_STEPS, values.length - 1);
  return WIDTH - (values.length - 1 - index) * (WIDTH / steps);
}

function course(values: readonly number[], most: number): string {
  const place = (value: number): number => HEIGHT - 1 - (most > 0 ? value / most : 0) * (HEIGHT - TOP - 1);
  return values.map((value, index) => `${index ? "L" : "M"}${across(values, index).toFixed(1)} ${place(value).toFixed(1)}`).join("");
}
