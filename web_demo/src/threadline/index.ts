/** The Threadline client: sessions on every device, live and offline. No DOM is needed. */

export {
  Metrics,
  Sessions,
  type AgentInfo,
  type Insertion,
  type MetricsReport,
  type NewSession,
  type SessionDetail,
  type SessionInfo,
  type SessionListing,
  type Undone,
} from "./api.ts";
export { readAttachments, type Attachment } from "./attachments.ts";
export { AgentHandle, Agents, Client, connect, type ConnectOptions, type Goal } from "./client.ts";
export type { ConnectionStatus } from "./connection.ts";
export { DeviceLink, Devices, link_device, sign_in_way, stay_signed_in, who_is, type DeviceLinkView, type Key, type LinkedDevice, type Me } from "./devices.ts";
export { Root, SCHEMA_VERSION, TERMINAL, type MessageStatus, type OnBusy, type RunStatus } from "./document/schema.ts";
export { NotSerializable } from "./document/values.ts";
export { Refused, SessionError, ThreadlineError } from "./errors.ts";
export type { RunEvent } from "./events.ts";
export type { Intent, RunRequest, Verdict } from "./intents.ts";
export type { Frame } from "./ledger.ts";
export type { Json, JsonObject } from "./json.ts";
export type { Author, Message } from "./messages.ts";
export type { Present } from "./presence.ts";
export { CLOSE_CODES, type CloseReason } from "./protocol/close_codes.ts";
export type { Hello, Notice, Role } from "./protocol/notices.ts";
export type { Recovery } from "./recovery.ts";
export { Replay, type Log, type Moment } from "./replay.ts";
export { Run } from "./run.ts";
export type { Approval, RunSnapshot, Step } from "./runs.ts";
export type { Saved } from "./saved.ts";
export { Session, type Exported, type SendOptions } from "./session.ts";
export type { UndoStep } from "./undo.ts";
export { Invitations, Members, type GrantedRole, type InvitationInfo, type MemberInfo, type NewInvitation } from "./sharing.ts";
export { IndexedDbStore, NoStore, type LocalCopy, type LocalStore } from "./store.ts";
export type { TokenSource } from "./token.ts";
