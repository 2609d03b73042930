/** The page's icons: 20 px line drawings in the colour of the text around them. */

import type { JSX } from "preact";

const PATHS = {
  back: "M12.5 4.5 7 10l5.5 5.5",
  send: "M10 16V4.5M4.8 9.7 10 4.5l5.2 5.2",
  stop: "M6.5 6.5h7v7h-7z",
  panel: "M3.5 4.5h13v11h-13zM12 4.5v11",
  plus: "M10 4.5v11M4.5 10h11",
  close: "m5.5 5.5 9 9m0-9-9 9",
  check: "m4.5 10.5 3.7 3.7 7.3-8",
  cross: "m6 6 8 8m0-8-8 8",
  chevron: "m5.5 8 4.5 4.5L14.5 8",
  copy: "M7.5 7.5h8v8h-8zM12.5 7.5v-3h-8v8h3",
  tool: "M12.8 3.7a4 4 0 0 0-4.6 5.4l-4.6 4.6 2.7 2.7 4.6-4.6a4 4 0 0 0 5.4-4.6l-2.4 2.4-2.7-.8-.8-2.7z",
  thought: "M10 3.8a4.6 4.6 0 0 0-2.6 8.4c.5.4.8.9.8 1.5v.3h3.6v-.3c0-.6.3-1.1.8-1.5A4.6 4.6 0 0 0 10 3.8M8.4 16.4h3.2",
  cloud: "M6.2 15a3.2 3.2 0 0 1-.4-6.4 4.4 4.4 0 0 1 8.5.6A2.9 2.9 0 0 1 14 15z",
  offline: "M6.2 15a3.2 3.2 0 0 1-.4-6.4M8 5.8a4.4 4.4 0 0 1 6.3 3.4A2.9 2.9 0 0 1 16 13.6M3.5 3.5l13 13",
  warning: "M10 3.8 17 16H3zM10 8.5v3.5M10 14v.2",
  undo: "M7.5 5 4 8.5 7.5 12M4.2 8.5H12a4 4 0 0 1 0 8H9",
  device: "M6.5 3h7v14h-7zM9.3 14.8h1.4",
  people: "M7.5 4.5a2.500 2.500 0 1 1 0 5 2.500 2.500 0 0 1 0-5M3 15.500c0-2.500 2-4 4.500-4s4.500 1.500 4.500 4M13 5a2.200 2.200 0 0 1 0 4.200M14.500 11.700c1.500.5 2.500 1.800 2.500 3.800",
  link: "M8.3 11.7 11.7 8.3M9 6.3l1.2-1.2a3.3 3.3 0 0 1 4.7 4.7L13.7 11M11 13.7l-1.2 1.2a3.3 3.3 0 0 1-4.7-4.7L6.3 9",
  trash: "M4.5 6h11M8 6V4h4v2M6 6l.7 10h6.6L14 6",
  settings: "M4 6.5h7M14 6.5h2M4 13.5h2M9 13.5h7M11 4.8v3.4M6 11.8v3.4",
  more: "M4.5 10h.01M10 10h.01M15.5 10h.01",
  pencil: "m4 16 .8-3.4 8.4-8.4 2.6 2.6-8.4 8.4zM11.5 5.9l2.6 2.6",
  again: "M15.5 10a5.5 5.5 0 1 1-1.8-4.1M15.6 3.4v3.2h-3.2",
  left: "M11.5 6 7.5 10l4 4",
  right: "m8.5 6 4 4-4 4",
  clock: "M10 3.5a6.5 6.5 0 1 1 0 13 6.5 6.5 0 0 1 0-13M10 6.5V10l2.5 1.7",
  glass: "M8.8 3.8a5 5 0 1 1 0 10 5 5 0 0 1 0-10M12.5 12.5l4 4",
  branch: "M6 4v12M6 13c0-4 8-2 8-7M14 6V4M4.5 4h3M4.5 16h3M12.5 4h3",
  bell: "M10 3.5a4 4 0 0 1 4 4c0 4 1.5 5 1.5 5h-11S6 11.500 6 7.500a4 4 0 0 1 4-4M8.5 15.500a1.600 1.600 0 0 0 3 0",
  clip: "m14.500 9.500-5 5a3 3 0 0 1-4.300-4.300l5.600-5.600a2 2 0 0 1 2.900 2.900l-5.5 5.500a1 1 0 0 1-1.400-1.400l4.700-4.700",
  file: "M5.500 3.500h6l3.500 3.500v9.500h-9.500zM11.500 3.500v3.500h3.500",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }): JSX.Element {
  return (
    <svg width="20" height="20" viewBox="0 0 20 20" aria-hidden="true" focusable="false">
      <path
        d={PATHS[name]}
        fill={name === "stop" ? "currentColor" : "none"}
        stroke="currentColor"
        stroke-width="1.6"
        stroke-linecap="round"
        stroke-linejoin="round"
      />
    </svg>
  );
}
