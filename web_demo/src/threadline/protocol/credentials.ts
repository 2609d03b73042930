/** What a device presents: a token, then attributes after its first space, `TOKEN device=Pixel%209 lineage=01J`. */

export interface Credentials {
  token: string;
  device?: string;
  lineage?: string;
}

/** The one string that a provider sends. Throws for a token with a space in it. */
export function encodeCredentials({ token, device, lineage }: Credentials): string {
  if (token.includes(" ")) throw new Error("A token contains no space.");
  const parts = [token];
  if (device) parts.push(`device=${encodeURIComponent(device)}`);
  if (lineage) parts.push(`lineage=${encodeURIComponent(lineage)}`);
  return parts.join(" ");
}
