/** What stock clients have no field for, as JSON in Hocuspocus' Stateless messages: the hello and notices. */

import { isJsonObject } from "../json.ts";

export type Role = "owner" | "editor" | "viewer" | "agent" | "server";

export interface Hello {
  type: "hello";
  session: string;
  lineage: string;
  user: string;
  role: Role;
  device: string;
  /** What an acknowledgement means: `fsync`, `process` or `none`. */
  durability: string;
  limits: Record<string, number>;
  server: { name: string; version: string };
}

export interface Notice {
  type: "notice";
  code: string;
  message: string;
  path?: string;
}

/** The hello or notice in a Stateless payload; undefined for anything else, which an application may have sent. */
export function decodeNote(payload: string): Hello | Notice | undefined {
  let body: unknown;
  try {
    body = JSON.parse(payload);
  } catch {
    return undefined;
  }
  if (!isJsonObject(body)) return undefined;
  if (body["type"] === "hello" && typeof body["lineage"] === "string" && typeof body["user"] === "string") {
    return body as unknown as Hello;
  }
  if (body["type"] === "notice" && typeof body["code"] === "string" && typeof body["message"] === "string") {
    return body as unknown as Notice;
  }
  return undefined;
}
