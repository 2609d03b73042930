import type { JSX } from "preact";
import type { Recovery } from "../threadline/index.ts";
import { reopen } from "./app_model.ts";
import { download } from "./download.ts";
import type { SessionModel } from "./session_model.ts";
import { identity } from "./settings.ts";
import { words } from "./words/words.ts";

/** What stands between this device and the session, in words that say what to do. */
export function Banner({ model }: { model: SessionModel }): JSX.Element | null {
  const reason = model.ended.value;
  if (reason) return <Ended model={model} />;
  const recovery = model.recovery.value;
  if (recovery && leavesSomething(recovery)) return <Rest model={model} recovery={recovery} />;
  const { word } = model.saved.value;
  const { ended } = words();
  const text = word === "offline" ? ended.offline : word === "saving" && model.savingLate.value ? ended.storeAway : "";
  if (!text) return null;
  return (
    <div class="banner" role="status" data-testid="banner">
      <div class="column">{text}</div>
    </div>
  );
}

function leavesSomething({ refused, kept }: Recovery): boolean {
  return Object.keys(refused).length + Object.keys(kept).length > 0;
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
      <button class="button primary" type="button" data-testid="sign-in-again" onClick={() => (identity.value = undefined)}>
        {ended.signIn}
      </button>
    );
  }
  if (name === "session_deleted" || name === "invalid_name") return null;
  return (
    <button class="button primary" type="button" data-testid="try-again" onClick={reopen}>
      {ended.retry}
    </button>
  );
}

function Rest({ model, recovery }: { model: SessionModel; recovery: Recovery }): JSX.Element {
  const { app, recovery: text } = words();
  const items = Object.entries({ ...recovery.refused, ...recovery.kept });
  return (
    <div class="banner" role="status" data-testid="left-over">
      <div class="column">
        <strong>{text.rest(items.length)}</strong>
        <ul>
          {items.map(([name, value]) => (
            <li key={name} dir="auto">
              {typeof value === "string" ? value : `${name}: ${JSON.stringify(value)}`}
            </li>
          ))}
        </ul>
        <div class="choices">
          <button class="button" type="button" onClick={() => download(`${model.session.id}.json`, recovery)}>
            {text.keep}
          </button>
          <button class="button" type="button" onClick={() => (model.recovery.value = undefined)}>
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
