/** The proof of who this device is: fixed, or asked for whenever the server wants one. */

export type TokenSource = string | (() => string | Promise<string>);

/** What to send now. */
export async function tokenOf(source: TokenSource): Promise<string> {
  return typeof source === "string" ? source : source();
}
