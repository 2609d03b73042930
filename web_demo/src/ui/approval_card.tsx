import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import type { Approval, RunSnapshot, Session, Verdict } from "../threadline/index.ts";
import { isJsonObject } from "../threadline/json.ts";
import { words } from "./words/words.ts";

interface ApprovalProps {
  approval: Approval;
  run: RunSnapshot;
  session: Session;
}

/** A call that waits for a person. Any device may answer, once; afterwards the card says who did. */
export function ApprovalCard({ approval, run, session }: ApprovalProps): JSX.Element {
  const { approval: text } = words();
  const answered = useSignal(false);
  const decide = (decision: Verdict): void => {
    const handle = session.run(run.id);
    // Another device has decided, and this page was not drawn anew yet: its outcome is about to be shown.
    if (!handle.pending.some(({ call }) => call === approval.call)) return;
    answered.value = true;
    if (decision === "approve") handle.approve(approval.call);
    else handle.reject(approval.call);
  };
  return (
    <section class="approval" data-testid="approval" data-status={approval.status}>
      <h2>{text.title(approval.tool)}</h2>
      {approval.description && <p>{approval.description}</p>}
      {isJsonObject(approval.arguments) && (
        <dl>
          {Object.entries(approval.arguments).map(([name, value]) => [
            <dt key={name}>{name}</dt>,
            <dd key={`${name} value`} dir="auto">
              {typeof value === "string" ? value : JSON.stringify(value)}
            </dd>,
          ])}
        </dl>
      )}
      {approval.status !== "pending" ? (
        <p data-testid="approval-outcome">{outcome(approval)}</p>
      ) : answered.value ? (
        <p role="status">{text.asking}</p>
      ) : (
        run.ended_at === undefined && (
          <div class="choices">
            <button class="button primary" type="button" data-testid="approve" onClick={() => decide("approve")}>
              {text.approve}
            </button>
            <button class="button" type="button" data-testid="reject" onClick={() => decide("reject")}>
              {text.reject}
            </button>
          </div>
        )
      )}
    </section>
  );
}

function outcome({ status, decided_by }: Approval): string {
  const { approval, presence } = words();
  if (status === "expired") return approval.expired;
  const who = decided_by ? presence.on(decided_by.user, decided_by.device) : "";
  return status === "approved" ? approval.approved(who) : approval.rejected(who);
}
