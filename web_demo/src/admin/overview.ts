/** What the server tells operators of itself, as `GET /api/v1/admin` gives it. Times are Unix milliseconds. */

export interface NodeRow {
  name: string;
  kind: "node" | "worker";
  version: string;
  started_ms: number;
  seen_ms: number;
  silent: boolean;
  connections: number;
  rooms: number;
  members: number;
  runs: number;
}

export interface SessionRow {
  id: string;
  owner: string;
  agent: string;
  status: string;
  active_ms: number;
  members: number | null;
  tail_bytes: number | null;
}

export interface DeviceRow {
  document: string;
  user: string;
  device: string;
  role: string;
  behind: boolean;
}

export interface Overview {
  at_ms: number;
  node: string;
  durability: string;
  ready: boolean;
  checks: Record<string, boolean>;
  nodes: NodeRow[];
  numbers: Record<string, number>;
  sessions: SessionRow[];
  runs: SessionRow[];
  devices: DeviceRow[];
}

/** Nobody who may look: `status` is 401 or 403, `message` what the server says of it. */
export class NotAllowed extends Error {}

const TIMEOUT_MS = 10_000;

/** Throws NotAllowed; any other error means that the server cannot be reached or fails. */
export async function fetchOverview(token: string): Promise<Overview> {
  const response = await fetch("./api/v1/admin", {
    headers: token ? { Authorization: `Bearer ${token}` } : {},
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  if (response.status === 401 || response.status === 403) {
    const answer = (await response.json().catch(() => null)) as { error?: { message?: string } } | null;
    throw new NotAllowed(answer?.error?.message ?? "");
  }
  if (!response.ok) throw new Error(`The server answered with ${response.status}.`);
  return (await response.json()) as Overview;
}
