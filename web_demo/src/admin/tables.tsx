import type { ComponentChildren, JSX } from "preact";
import { sizeText } from "../ui/file_size.ts";
import { language } from "../ui/words/words.ts";
import type { DeviceRow, NodeRow, SessionRow } from "./overview.ts";
import type { AdminWords } from "./words.ts";

interface TableProps {
  title: string;
  columns: readonly string[];
  rows: readonly (readonly ComponentChildren[])[];
  words: AdminWords;
  testId: string;
}

/** Rows under headings; a narrow page scrolls it sideways. */
function Table({ title, columns, rows, words, testId }: TableProps): JSX.Element {
  return (
    <section data-testid={testId}>
      <h2>
        {title} <span class="count">{rows.length}</span>
      </h2>
      {rows.length === 0 ? (
        <p class="note">{words.none}</p>
      ) : (
        <div class="table" tabIndex={0} role="region" aria-label={title}>
          <table>
            <thead>
              <tr>
                {columns.map((column) => (
                  <th key={column} scope="col">
                    {column}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {rows.map((cells, index) => (
                <tr key={index}>
                  {cells.map((cell, at) => (
                    <td key={at}>{cell}</td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}

export function Nodes({ nodes, words }: { nodes: readonly NodeRow[]; words: AdminWords }): JSX.Element {
  const { columns } = words;
  const rows = nodes.map(({ name, kind, version, started_ms, silent, connections, rooms, members, runs }) => [
    <bdi key="name">{name}</bdi>,
    words.kinds[kind],
    silent ? <span class="bad">{words.silent}</span> : version,
    momentText(started_ms),
    connections,
    rooms,
    members,
    runs,
  ]);
  const headings = [columns.name, columns.kind, columns.version, columns.since, columns.connections, columns.documents, columns.devices, columns.working];
  return <Table title={words.nodes} columns={headings} rows={rows} words={words} testId="nodes" />;
}

interface SessionsProps {
  title: string;
  rows: readonly SessionRow[];
  words: AdminWords;
  testId: string;
}

export function Sessions({ title, rows, words, testId }: SessionsProps): JSX.Element {
  const { columns } = words;
  const cells = rows.map(({ id, owner, agent, status, active_ms, members, tail_bytes }) => [
    <bdi key="id" class="mono">
      {id}
    </bdi>,
    <bdi key="owner">{owner}</bdi>,
    <bdi key="agent">{agent || "–"}</bdi>,
    status || "–",
    momentText(active_ms),
    members ?? "–",
    tail_bytes === null ? "–" : sizeText(tail_bytes, language.value),
  ]);
  const headings = [columns.session, columns.owner, columns.agent, columns.status, columns.active, columns.devices, columns.log];
  return <Table title={title} columns={headings} rows={cells} words={words} testId={testId} />;
}

export function Devices({ devices, words }: { devices: readonly DeviceRow[]; words: AdminWords }): JSX.Element {
  const { columns } = words;
  const rows = devices.map(({ document, user, device, role, behind }) => [
    <bdi key="user">{user}</bdi>,
    <bdi key="device">{device || "–"}</bdi>,
    role,
    <bdi key="document" class="mono">
      {document}
    </bdi>,
    behind ? <span class="bad">{words.no}</span> : words.yes,
  ]);
  const headings = [columns.user, columns.device, columns.role, columns.session, columns.keepsUp];
  return <Table title={words.devices} columns={headings} rows={rows} words={words} testId="devices" />;
}

const DAY_MS = 24 * 3600 * 1000;

function momentText(at: number): string {
  const date = new Date(at);
  const day: Intl.DateTimeFormatOptions = Date.now() - at < DAY_MS ? {} : { day: "numeric", month: "short" };
  return date.toLocaleString(language.value, { ...day, hour: "2-digit", minute: "2-digit", second: "2-digit" });
}
