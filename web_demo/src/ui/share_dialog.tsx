import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { GrantedRole, InvitationInfo, MemberInfo, NewInvitation } from "../threadline/index.ts";
import { client } from "./app_model.ts";
import { copyText } from "./clipboard.ts";
import { entryUrl } from "./route.ts";
import { language, words } from "./words/words.ts";

const HOURS = { hour: 3600, day: 24 * 3600, week: 7 * 24 * 3600 };
const TIMES = { one: 1, ten: 10, any: null };

interface ShareDialogProps {
  id: string;
  onClose: () => void;
}

/** Who may do what in a conversation, and links that let people in. */
export default function ShareDialog({ id, onClose }: ShareDialogProps): JSX.Element {
  const { app, people } = words();
  const dialog = useRef<HTMLDialogElement>(null);
  const members = useSignal<MemberInfo[]>([]);
  const invitations = useSignal<InvitationInfo[]>([]);
  const owner = useSignal(false);
  const failed = useSignal("");
  const me = client.value?.user ?? "";
  const load = async (): Promise<void> => {
    const current = client.peek();
    if (!current) return;
    members.value = await current.members.list(id);
    owner.value = (await current.sessions.get(id)).role === "owner";
    if (owner.value) invitations.value = await current.invitations.list(id);
  };
  const attempt = (work: () => Promise<unknown>): void => {
    work()
      .then(load)
      .then(() => (failed.value = ""))
      .catch((error: unknown) => (failed.value = error instanceof Error ? error.message : people.failed));
  };
  useEffect(() => dialog.current?.showModal(), []);
  useEffect(() => attempt(async () => undefined), []);
  const remove = (user: string): void => {
    if (user !== me) return attempt(async () => client.peek()?.members.remove(id, user));
    onClose();
    void client.peek()?.members.remove(id, user);
  };
  return (
    <dialog ref={dialog} onClose={onClose} aria-labelledby="share-title" data-testid="share-dialog">
      <h2 id="share-title">{people.share.title}</h2>
      <h3>{people.share.members}</h3>
      <ul class="people">
        {members.value.map((member, place) => (
          <Member
            key={member.user}
            member={member}
            mine={member.user === me}
            fixed={place === 0}
            editable={owner.value}
            onGrant={(role) => attempt(async () => client.peek()?.members.grant(id, member.user, role))}
            onRemove={() => remove(member.user)}
          />
        ))}
      </ul>
      {owner.value ? (
        <>
          <Invite onMake={async (wanted) => (await client.peek()!.invitations.make(id, wanted)).code} onMade={() => attempt(async () => undefined)} />
          <Open
            invitations={invitations.value}
            onTakeBack={(invitation) => attempt(async () => client.peek()?.invitations.take_back(id, invitation))}
          />
        </>
      ) : (
        <p class="note">{people.share.ownersOnly}</p>
      )}
      {failed.value && (
        <p class="refused" role="alert">
          {failed.value}
        </p>
      )}
      <div class="actions">
        <button class="button" type="button" data-testid="share-close" onClick={onClose}>
          {app.close}
        </button>
      </div>
    </dialog>
  );
}

interface MemberProps {
  member: MemberInfo;
  mine: boolean;
  /** The one who made the conversation stays its owner. */
  fixed: boolean;
  editable: boolean;
  onGrant: (role: GrantedRole) => void;
  onRemove: () => void;
}

function Member({ member, mine, fixed, editable, onGrant, onRemove }: MemberProps): JSX.Element {
  const { app, people, roles: names } = words();
  const { roles } = people.share;
  const isAgent = member.role === "agent";
  const chosen = editable && !fixed && !isAgent;
  return (
    <li data-testid="member" data-user={member.user} data-role={member.role}>
      <span class="names">
        <span dir="auto">{mine ? `${member.user} (${app.you})` : member.user}</span>
        {!chosen && <small>{member.role === "agent" ? names.agent : roles[member.role]}</small>}
      </span>
      {chosen && (
        <select
          class="input"
          aria-label={people.share.role(member.user)}
          value={member.role}
          onChange={(event) => onGrant(event.currentTarget.value as GrantedRole)}
        >
          {Object.entries(roles).map(([role, label]) => (
            <option key={role} value={role}>
              {label}
            </option>
          ))}
        </select>
      )}
      {!fixed && (editable || mine) && (
        <button class="button" type="button" aria-label={people.share.removeOne(member.user)} onClick={onRemove}>
          {mine ? people.share.leave : people.share.remove}
        </button>
      )}
    </li>
  );
}

interface InviteProps {
  onMake: (wanted: NewInvitation) => Promise<string>;
  onMade: () => void;
}

function Invite({ onMake, onMade }: InviteProps): JSX.Element {
  const { app, people } = words();
  const role = useSignal<"editor" | "viewer">("editor");
  const lasts = useSignal<keyof typeof HOURS>("day");
  const uses = useSignal<keyof typeof TIMES>("one");
  const url = useSignal("");
  const copied = useSignal(false);
  const failed = useSignal("");
  const submit = (event: Event): void => {
    event.preventDefault();
    copied.value = false;
    onMake({ role: role.value, expires_in_s: HOURS[lasts.value], uses: TIMES[uses.value] })
      .then((code) => {
        url.value = entryUrl({ kind: "join", code });
        failed.value = "";
        onMade();
      })
      .catch((error: unknown) => (failed.value = error instanceof Error ? error.message : people.failed));
  };
  const { roles } = people.share;
  return (
    <form onSubmit={submit}>
      <h3>{people.share.invite}</h3>
      <div class="invite">
        <Choice label={people.share.may} name="invite-role" options={{ editor: roles.editor, viewer: roles.viewer }} chosen={role} />
        <Choice label={people.share.lasts} name="invite-lasts" options={people.share.hours} chosen={lasts} />
        <Choice label={people.share.uses} name="invite-uses" options={people.share.times} chosen={uses} />
      </div>
      <button class="button primary" type="submit" data-testid="invite">
        {people.share.make}
      </button>
      {failed.value && (
        <p class="refused" role="alert">
          {failed.value}
        </p>
      )}
      {url.value && (
        <div class="choices-column" role="status">
          <p>{people.share.made}</p>
          <input class="input" data-testid="invite-url" aria-label={people.share.link} readOnly value={url} onFocus={(event) => event.currentTarget.select()} />
          <button class="button" type="button" onClick={() => void copyText(url.value).then(() => (copied.value = true))}>
            {copied.value ? app.copied : people.share.copy}
          </button>
        </div>
      )}
    </form>
  );
}

interface ChoiceProps<Name extends string> {
  label: string;
  name: string;
  options: Record<Name, string>;
  chosen: { value: Name };
}

function Choice<Name extends string>({ label, name, options, chosen }: ChoiceProps<Name>): JSX.Element {
  return (
    <label class="field">
      {label}
      <select data-testid={name} value={chosen.value} onChange={(event) => (chosen.value = event.currentTarget.value as Name)}>
        {Object.entries<string>(options).map(([value, text]) => (
          <option key={value} value={value}>
            {text}
          </option>
        ))}
      </select>
    </label>
  );
}

interface OpenProps {
  invitations: InvitationInfo[];
  onTakeBack: (invitation: string) => void;
}

function Open({ invitations, onTakeBack }: OpenProps): JSX.Element | null {
  const { share } = words().people;
  if (invitations.length === 0) return null;
  return (
    <>
      <h3>{share.open_links}</h3>
      <ul class="people">
        {invitations.map(({ id, role, uses_left, expires_s }) => {
          const date = new Date(expires_s * 1000).toLocaleString(language.value, { dateStyle: "short", timeStyle: "short" });
          return (
            <li key={id} data-testid="invitation">
              <span class="names">
                <span>{share.roles[role]}</span>
                <small>{`${share.left(uses_left)} · ${share.until(date)}`}</small>
              </span>
              <button
                class="button"
                type="button"
                data-testid="take-back"
                aria-label={share.takeBackOne(share.roles[role], date)}
                onClick={() => onTakeBack(id)}
              >
                {share.takeBack}
              </button>
            </li>
          );
        })}
      </ul>
    </>
  );
}
