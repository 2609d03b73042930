import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { Json, JsonObject, Session } from "../threadline/index.ts";
import { isJsonObject } from "../threadline/json.ts";
import { Icon } from "./icons.tsx";
import { readValue } from "./panel.tsx";
import { words } from "./words/words.ts";

interface BranchProps {
  value: JsonObject;
  session: Session;
  path?: readonly string[];
}

/** The state as a tree; a dict's leaves are edited one by one, so that others' edits beside them stay. */
export function StateTree({ value, session, path = [] }: BranchProps): JSX.Element {
  return (
    <ul class="tree" data-testid={path.length === 0 ? "state" : undefined}>
      {Object.entries(value).map(([key, item]) => (
        <Row key={key} path={[...path, key]} value={item} session={session} />
      ))}
    </ul>
  );
}

interface RowProps {
  path: readonly string[];
  value: Json;
  session: Session;
}

function Row({ path, value, session }: RowProps): JSX.Element {
  const { panel } = words();
  const editing = useSignal(false);
  const key = path.at(-1)!;
  const nested = isJsonObject(value) && Object.keys(value).length > 0;
  const writable = session.canWrite && !path[0]!.startsWith("agent:");
  return (
    <li data-testid="state-row" data-key={path.join("/")}>
      <div class="row">
        <span class="key" dir="auto">
          {key}
        </span>
        {nested ? (
          <span class="count">{panel.items(Object.keys(value).length)}</span>
        ) : editing.value ? (
          <Editor value={value} onDone={(text) => finish(text)} label={panel.edit(key)} />
        ) : (
          <Value value={value} label={panel.edit(key)} onEdit={writable ? () => (editing.value = true) : undefined} />
        )}
        {writable && (
          <button class="icon-button remove" type="button" aria-label={panel.remove(key)} onClick={() => session.state.deleteAt(path)}>
            <Icon name="trash" />
          </button>
        )}
      </div>
      {nested && <StateTree value={value} session={session} path={path} />}
    </li>
  );

  function finish(text: string | undefined): void {
    editing.value = false;
    if (text !== undefined && text !== written(value)) session.state.setAt(path, readValue(text));
  }
}

interface ValueProps {
  value: Json;
  label: string;
  onEdit: (() => void) | undefined;
}

/** A leaf; it lights up for a moment when somebody has changed it. */
function Value({ value, label, onEdit }: ValueProps): JSX.Element {
  const text = written(value);
  const former = useRef(text);
  const changed = former.current !== text;
  useEffect(() => {
    former.current = text;
  });
  if (!onEdit) return <span class="value">{text}</span>;
  return (
    <button
      key={text}
      class={changed ? "value changed" : "value"}
      type="button"
      aria-label={`${label}: ${text}`}
      title={text}
      data-testid="state-value"
      onClick={onEdit}
    >
      {text}
    </button>
  );
}

interface EditorProps {
  value: Json;
  label: string;
  onDone: (text: string | undefined) => void;
}

function Editor({ value, label, onDone }: EditorProps): JSX.Element {
  const input = useRef<HTMLInputElement>(null);
  const done = useRef(false);
  useEffect(() => input.current?.select(), []);
  const end = (text: string | undefined): void => {
    if (done.current) return;
    done.current = true;
    onDone(text);
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.isComposing) return;
    if (event.key === "Enter") end(input.current?.value);
    if (event.key === "Escape") end(undefined);
  };
  return (
    <input
      class="input"
      ref={input}
      aria-label={label}
      data-testid="state-editor"
      defaultValue={written(value)}
      onKeyDown={onKeyDown}
      onBlur={() => end(input.current?.value)}
    />
  );
}

/** A value as one types it: text without quotes unless it would be read as something else. */
function written(value: Json): string {
  if (typeof value !== "string") return JSON.stringify(value);
  return typeof readValue(value) === "string" ? value : JSON.stringify(value);
}
