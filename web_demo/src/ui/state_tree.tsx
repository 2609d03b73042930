import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { Json, JsonObject, Session } from "../threadline/index.ts";
import { isJsonObject } from "../threadline/json.ts";
import { Icon } from "./icons.tsx";
import { readValue } from "./panel.tsx";
import { words } from "./words/words.ts";

interface BranchProps {
  value: JsonObject | Json[];
  session: Session;
  path?: readonly string[];
  /** Inside a list nothing is edited by itself: a list is edited as a whole. */
  fixed?: boolean;
}

/** The state as a tree; a dict's leaves are edited one by one, so that others' edits beside them stay. */
export function StateTree({ value, session, path = [], fixed = false }: BranchProps): JSX.Element {
  return (
    <ul class="tree" data-testid={path.length === 0 ? "state" : undefined}>
      {Object.entries(value).map(([key, item]) => (
        <Row key={key} path={[...path, key]} value={item} session={session} fixed={fixed} />
      ))}
    </ul>
  );
}

interface RowProps {
  path: readonly string[];
  value: Json;
  session: Session;
  fixed: boolean;
}

function Row({ path, value, session, fixed }: RowProps): JSX.Element {
  const { panel } = words();
  const editing = useSignal(false);
  const key = path.at(-1)!;
  const branch = isBranch(value);
  const opened = useSignal(!Array.isArray(value) && path.length < 3);
  const writable = !fixed && session.canWrite && !path[0]!.startsWith("agent:");
  const startEditing = writable ? () => (editing.value = true) : undefined;
  return (
    <li data-testid="state-row" data-key={path.join("/")}>
      <div class="row">
        {branch ? (
          <button class="key fold" type="button" aria-expanded={opened.value} onClick={() => (opened.value = !opened.value)}>
            <Icon name="chevron" />
            <span dir="auto">{key}</span>
          </button>
        ) : (
          <span class="key" dir="auto">
            {key}
          </span>
        )}
        {editing.value ? (
          <Editor value={value} onDone={finish} label={panel.edit(key)} />
        ) : branch && !Array.isArray(value) ? (
          <span class="count">{panel.items(Object.keys(value).length)}</span>
        ) : (
          <Value value={value} label={panel.edit(key)} onEdit={startEditing} />
        )}
        {writable && (
          <button class="icon-button remove" type="button" aria-label={panel.remove(key)} onClick={() => session.state.deleteAt(path)}>
            <Icon name="trash" />
          </button>
        )}
      </div>
      {branch && opened.value && (
        <StateTree value={value} session={session} path={path} fixed={fixed || Array.isArray(value)} />
      )}
    </li>
  );

  function finish(text: string | undefined): void {
    editing.value = false;
    if (text !== undefined && text !== written(value)) session.state.setAt(path, readValue(text));
  }
}

/** A dict with something in it, or a list of more than plain words. */
function isBranch(value: Json): value is JsonObject | Json[] {
  if (Array.isArray(value)) return value.some((item) => typeof item === "object" && item !== null);
  return isJsonObject(value) && Object.keys(value).length > 0;
}

interface ValueProps {
  value: Json;
  label: string;
  onEdit: (() => void) | undefined;
}

/** A leaf; it lights up for a moment when somebody has changed it. */
function Value({ value, label, onEdit }: ValueProps): JSX.Element {
  const { panel } = words();
  const text = isBranch(value) ? panel.items(Object.keys(value).length) : written(value);
  const former = useRef(text);
  const changed = former.current !== text;
  useEffect(() => {
    former.current = text;
  });
  const classes = `value${value === null ? " empty" : ""}${changed ? " changed" : ""}`;
  if (!onEdit) return <span class={classes}>{text}</span>;
  return (
    <button
      key={text}
      class={classes}
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
