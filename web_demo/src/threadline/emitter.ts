/** A typed list of listeners; `on` gives back the function that removes the listener again. */

type Listener<Arguments extends unknown[]> = (...args: Arguments) => void;

export class Emitter<Events extends Record<string, unknown[]>> {
  #listeners = new Map<keyof Events, Set<Listener<never>>>();

  on<Name extends keyof Events>(name: Name, listener: Listener<Events[Name]>): () => void {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners);
    listeners.add(listener as Listener<never>);
    return () => listeners.delete(listener as Listener<never>);
  }

  protected emit<Name extends keyof Events>(name: Name, ...args: Events[Name]): void {
    const listeners = this.#listeners.get(name);
    if (!listeners) return;
    // A copy: a listener may remove itself, or add another.
    for (const listener of Array.from(listeners)) (listener as unknown as Listener<Events[Name]>)(...args);
  }

  protected forgetListeners(): void {
    this.#listeners.clear();
  }
}
