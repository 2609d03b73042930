/** Who may do what in a session: members with their roles, and invitations that let people in. */

import type { SessionInfo } from "./api.ts";
import type { HttpApi } from "./http_api.ts";

export type GrantedRole = "owner" | "editor" | "viewer" | "agent";

export interface MemberInfo {
  user: string;
  role: GrantedRole;
}

/** `uses_left` null lets in any number of people. */
export interface InvitationInfo {
  id: string;
  role: "editor" | "viewer";
  made_by: string;
  expires_s: number;
  uses_left: number | null;
}

export interface NewInvitation {
  role?: "editor" | "viewer";
  expires_in_s?: number;
  uses?: number | null;
}

/** Owners grant and remove; everybody may remove themselves. */
export class Members {
  readonly #api: HttpApi;

  constructor(api: HttpApi) {
    this.#api = api;
  }

  /** The owner first. */
  async list(session: string): Promise<MemberInfo[]> {
    return membersIn(await this.#api.call("GET", `${pathOf(session)}/members`));
  }

  /** A role, or another one; live devices of the member have it at once. */
  async grant(session: string, user: string, role: GrantedRole): Promise<MemberInfo[]> {
    return membersIn(await this.#api.call("PUT", `${pathOf(session)}/members/${encodeURIComponent(user)}`, { role }));
  }

  /** Takes a member's access back; its live devices end on every node within a second. */
  async remove(session: string, user: string): Promise<void> {
    await this.#api.call("DELETE", `${pathOf(session)}/members/${encodeURIComponent(user)}`);
  }
}

export class Invitations {
  readonly #api: HttpApi;

  constructor(api: HttpApi) {
    this.#api = api;
  }

  /** Owners only. `code` is told once; a link carries it behind a `#`. */
  async make(session: string, wanted: NewInvitation = {}): Promise<InvitationInfo & { code: string }> {
    return (await this.#api.call("POST", `${pathOf(session)}/invitations`, wanted)) as unknown as InvitationInfo & { code: string };
  }

  /** Those that still let people in. */
  async list(session: string): Promise<InvitationInfo[]> {
    const { invitations } = (await this.#api.call("GET", `${pathOf(session)}/invitations`)) as unknown as { invitations: InvitationInfo[] };
    return invitations;
  }

  /** Who came by it stays. */
  async take_back(session: string, invitation: string): Promise<void> {
    await this.#api.call("DELETE", `${pathOf(session)}/invitations/${encodeURIComponent(invitation)}`);
  }

  /** Joins a session by the code of an invitation. */
  async accept(code: string): Promise<SessionInfo> {
    return (await this.#api.call("POST", "/invitations/accept", { code })) as unknown as SessionInfo;
  }
}

function pathOf(session: string): string {
  return `/sessions/${encodeURIComponent(session)}`;
}

function membersIn(answer: unknown): MemberInfo[] {
  return (answer as { members: MemberInfo[] }).members;
}
