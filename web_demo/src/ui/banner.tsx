import type { JSX } from "preact";
import type { LeftOver } from "../threadline/index.ts";
import { client } from "./app_model.ts";
import { download } from "./download.ts";
import type { SessionModel } from "./session_model.ts";
import { identity } from "./settings.ts";
import { words } from "./words/words.ts";

/** What stands between this device and the session, in words that say what to do. */
export function Banner({ model }: { model: SessionModel }): JSX.Element | null {
  const reason = model.ended.value;
  if (reason) return <Ended model={model} />;
  if (model.leftOver.value.length > 0) return <Rest model={model} items={model.leftOver.value} />;
  const { word } = model.saved.value;
  if (word !== "offline") return null;
  return (
    <div class="banner" role="status" data-testid="banner">
      <div class="column">{words().ended.offline}</div>
    </div>
  );
}

/** Reasons after which a fresh replica may go on where the old one cannot. */
const RESETTABLE = new Set(["replica_rejected", "lineage_mismatch", "too_large"]);

function Ended({ model }: { model: SessionModel }): JSX.Element {
  const { ended, recovery } = words();
  const reason = model.ended.value!;
  return (
    <div class="banner bad" role="alert" data-testid="banner" data-code={reason.code}>
      <div class="column">
        <strong>{ended.sentences[reason.name] ?? ended.unknown}</strong>
        {reason.detail && (
          <details>
            <summary>{recovery.reason}</summary>
            {reason.detail}
          </details>
        )}
        <div class="choices">
          <button class="button" type="button" data-testid="keep-copy" title={recovery.keepText} onClick={() => keep(model)}>
            {recovery.keep}
          </button>
          <WayOut model={model} />
        </div>
      </div>
    </div>
  );
}

function WayOut({ model }: { model: SessionModel }): JSX.Element | null {
  const { ended, recovery } = words();
  const { name } = model.ended.value!;
  if (RESETTABLE.has(name)) {
    return (
      <button
        class="button primary"
        type="button"
        data-testid="reset-replica"
        title={recovery.resetText}
        disabled={model.resetting.value}
        onClick={() => void model.reset()}
      >
        {model.resetting.value ? recovery.resetting : recovery.reset}
      </button>
    );
  }
  if (name === "unauthorized") {
    return (
      <button class="button primary" type="button" onClick={() => (identity.value = undefined)}>
        {ended.signIn}
      </button>
    );
  }
  if (name === "session_deleted" || name === "invalid_name") return null;
  return (
    <button class="button primary" type="button" onClick={() => client.value?.reconnect()}>
      {ended.retry}
    </button>
  );
}

function Rest({ model, items }: { model: SessionModel; items: LeftOver[] }): JSX.Element {
  const { app, recovery } = words();
  return (
    <div class="banner" role="status" data-testid="left-over">
      <div class="column">
        <strong>{recovery.rest(items.length)}</strong>
        <ul>
          {items.map(({ path, value }) => (
            <li key={path} dir="auto">
              {typeof value === "string" ? value : `${path}: ${JSON.stringify(value)}`}
            </li>
          ))}
        </ul>
        <div class="choices">
          <button class="button" type="button" onClick={() => download("left-over.json", items)}>
            {recovery.keep}
          </button>
          <button class="button" type="button" onClick={() => (model.leftOver.value = [])}>
            {app.close}
          </button>
        </div>
      </div>
    </div>
  );
}

function keep(model: SessionModel): void {
  download(`${model.session.id}.json`, model.session.export());
}
