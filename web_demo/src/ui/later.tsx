import { useSignal } from "@preact/signals";
import type { ComponentType, JSX } from "preact";
import { useEffect } from "preact/hooks";

/** A component whose script is fetched when it is first shown; until then nothing is drawn. */
export function later<Props extends object>(
  load: () => Promise<{ default: ComponentType<Props> }>,
): (props: Props) => JSX.Element | null {
  let loaded: ComponentType<Props> | undefined;
  return function Later(props: Props): JSX.Element | null {
    const there = useSignal(loaded !== undefined);
    useEffect(() => {
      if (loaded) return;
      void load()
        .then((module) => {
          loaded = module.default;
          there.value = true;
        })
        // Offline and never fetched: what was asked for stays closed.
        .catch(() => undefined);
    }, []);
    const Loaded = there.value ? loaded : undefined;
    return Loaded ? <Loaded {...props} /> : null;
  };
}
