/** What a device is called until its person says otherwise. */

const SYSTEMS: [RegExp, string][] = [
  [/iPhone/, "iPhone"],
  [/iPad/, "iPad"],
  [/CrOS/, "Chromebook"],
  [/Windows/, "Windows"],
  [/Mac OS X|Macintosh/, "Mac"],
  [/Linux/, "Linux"],
];

/** A name for this device from what the browser says of itself: "Pixel 9", "Mac". */
export function guessDevice(agent: string = navigator.userAgent): string {
  const model = /Android [^;)]*; ([^;)]+?)(?: Build|\))/.exec(agent)?.[1];
  // Browsers that keep the model to themselves say K.
  if (model) return model === "K" ? "Android" : model;
  return SYSTEMS.find(([pattern]) => pattern.test(agent))?.[1] ?? "Browser";
}
