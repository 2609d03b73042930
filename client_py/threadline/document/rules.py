"""The write rules, as one table: who may put what where, and who may delete it.

A row answers for every path that its pattern matches: `*` is any key, the first row that matches counts.
`own` rows are for entries that carry their creator's name, and only for that user; `deleters` are who may
remove what is there (without overwriting it). The server is exempt from everything but the shape. Roots
outside the schema belong to the clients: whoever may edit the session may write them, and the server never
reads them.

Rules see content, path and actor, never what the document holds at the moment.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from threadline.actors import Actor, Role
from threadline.document.counters import FOLDED
from threadline.document.intents import ApprovalIntent, TitleIntent, read_intent
from threadline.document.judgement import LIST_POSITION, Content, ContentKind, Path, RuleBook
from threadline.document.messages import MessageRole, MessageStatus
from threadline.document.root_rules import RootRule
from threadline.document.state import top_level_of
from threadline.ids import AGENT_PREFIX, belongs_to, owner_of

ANY: Final = "*"
CONTEXT: Final = "/context/"
MAX_KEY_CHARS: Final = 512
MAX_TITLE_CHARS: Final = 200
MAX_LABEL_CHARS: Final = 128

Check: TypeAlias = Callable[[Actor, int, Path, Content], str | None]

VIEWERS_READ: Final = "viewers of this session can read it, not change it"
NO_SUCH_PLACE: Final = "the session document has no such place"

_K: Final = ContentKind
_SERVER: Final = frozenset({Role.SERVER})
_AGENT: Final = frozenset({Role.AGENT, Role.SERVER})
_KEEPERS: Final = frozenset({Role.OWNER, Role.AGENT, Role.SERVER})
_EDITORS: Final = frozenset({Role.OWNER, Role.EDITOR, Role.AGENT, Role.SERVER})

_ROLES: Final = frozenset(MessageRole)
_ROLES_OF_AGENTS: Final = _ROLES - {MessageRole.USER}
_ROLES_OF_DEVICES: Final = frozenset({MessageRole.USER})
_STATES: Final = frozenset(MessageStatus)
_STATES_BY_DEVICES: Final = frozenset({MessageStatus.COMPLETE, MessageStatus.RETRACTED})


@dataclass(frozen=True, slots=True)
class Rule:
    path: Path
    kind: ContentKind
    writers: frozenset[Role]
    own: bool = False
    check: Check | None = None
    deleters: frozenset[Role] = _SERVER

    def matches(self, path: Path) -> bool:
        """Of a path that is as long as that of the row."""
        for at, pattern in enumerate(self.path):  # noqa: SIM110  (a generator costs more)
            if pattern != ANY and pattern != path[at]:
                return False
        return True


def _is_text(max_chars: int = MAX_LABEL_CHARS) -> Check:
    def check(actor: Actor, client: int, path: Path, content: Content) -> str | None:
        if isinstance(content.value, str) and len(content.value) <= max_chars:
            return None
        return f"{path[-1]} is a text of at most {max_chars} characters"

    return check


def _is_time(actor: Actor, client: int, path: Path, content: Content) -> str | None:
    return None if _finite(content.value) else f"{path[-1]} is a time in Unix milliseconds"


def _is_list(actor: Actor, client: int, path: Path, content: Content) -> str | None:
    return None if isinstance(content.value, list) else f"{path[-1]} is a list"


def _is_role(actor: Actor, client: int, path: Path, content: Content) -> str | None:
    match actor.role:
        case Role.SERVER:
            allowed = _ROLES
        case Role.AGENT:
            allowed = _ROLES_OF_AGENTS
        case _:
            allowed = _ROLES_OF_DEVICES
    if isinstance(content.value, str) and content.value in allowed:
        return None
    return f"the role of a message by {actor.user} is {' or '.join(sorted(allowed))}"


def _is_status(actor: Actor, client: int, path: Path, content: Content) -> str | None:
    allowed = _STATES if actor.role in _AGENT else _STATES_BY_DEVICES
    if isinstance(content.value, str) and content.value in allowed:
        return None
    return f"the status of a message by {actor.user} is {' or '.join(sorted(allowed))}"


def _is_self(actor: Actor, client: int, path: Path, content: Content) -> str | None:
    """An author names the user who writes, a device and a name, and nothing else."""
    author = content.value
    if not isinstance(author, dict) or not author.keys() <= {"user", "device", "name"}:
        return "an author has user, device and name"
    if actor.role is not Role.SERVER and author.get("user") != actor.user:
        return f"the author of a message by {actor.user} is {actor.user}"
    labels = (author.get("device", ""), author.get("name", ""))
    if all(isinstance(label, str) and len(label) <= MAX_LABEL_CHARS for label in labels):
        return None
    return f"device and name of an author are texts of at most {MAX_LABEL_CHARS} characters"


def _is_state_key(actor: Actor, client: int, path: Path, content: Content) -> str | None:
    if len(path[1]) > MAX_KEY_CHARS:
        return f"a state key has at most {MAX_KEY_CHARS} characters"
    if actor.role in _AGENT:
        return None
    top = top_level_of(path[1])
    if top is not None and top.startswith(AGENT_PREFIX):
        return "state under agent: is written by the agent alone"
    return None


def _is_own_share(actor: Actor, client: int, path: Path, content: Content) -> str | None:
    name, slash, share = path[1].rpartition("/")
    if not slash or not name or len(path[1]) > MAX_KEY_CHARS:
        return "a counter's key is its name, a slash and the client id that writes it"
    if share != str(client) and not (actor.role is Role.SERVER and share == FOLDED):
        return f"a counter's share is written by its own client id, not by {client}"
    if content.kind is _K.VALUE and not _finite(content.value):
        return "a counter's share is a number"
    return None


def _is_intent(actor: Actor, client: int, path: Path, content: Content) -> str | None:
    intent = read_intent(path[1], content.value) if content.plain else None
    if intent is None:
        return "this is not an intent: run, cancel, approval or title, with its fields"
    if isinstance(intent, ApprovalIntent) and actor.role is Role.AGENT:
        return "calls that need a word are allowed by people, not by agents"
    if isinstance(intent, TitleIntent) and len(intent.title) > MAX_TITLE_CHARS:
        return f"a title has at most {MAX_TITLE_CHARS} characters"
    return None


def _finite(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


_STEP: Final = ("runs", ANY, "steps", LIST_POSITION)

TABLE: tuple[Rule, ...] = (
    Rule(("meta", "title"), _K.VALUE, _KEEPERS, check=_is_text(MAX_TITLE_CHARS), deleters=_KEEPERS),
    Rule(("meta", "schema"), _K.VALUE, _SERVER),
    Rule(("meta", "parent"), _K.VALUE, _SERVER),
    Rule(("meta", "conversation"), _K.VALUE, _SERVER),
    Rule(("meta", CONTEXT), _K.VALUE, _KEEPERS, deleters=_KEEPERS),
    Rule(("messages", ANY), _K.MAP, _EDITORS, own=True),
    Rule(("messages", ANY, "role"), _K.VALUE, _EDITORS, own=True, check=_is_role),
    Rule(("messages", ANY, "author"), _K.VALUE, _EDITORS, own=True, check=_is_self),
    Rule(("messages", ANY, "created_at"), _K.VALUE, _EDITORS, own=True, check=_is_time),
    Rule(("messages", ANY, "text"), _K.TEXT, _EDITORS, own=True),
    Rule(("messages", ANY, "text", LIST_POSITION), _K.STRING, _EDITORS, own=True, deleters=_EDITORS),
    Rule(("messages", ANY, "status"), _K.VALUE, _EDITORS, own=True, check=_is_status),
    Rule(("messages", ANY, "run"), _K.VALUE, _EDITORS, own=True, check=_is_text(MAX_KEY_CHARS)),
    Rule(("messages", ANY, "parent"), _K.VALUE, _EDITORS, own=True, check=_is_text(MAX_KEY_CHARS)),
    Rule(("messages", ANY, "attachments"), _K.VALUE, _EDITORS, own=True, check=_is_list, deleters=_EDITORS),
    Rule(("messages", ANY, "seq"), _K.VALUE, _SERVER),
    Rule(("messages", ANY, "received_at"), _K.VALUE, _SERVER),
    Rule(("messages", ANY, ANY), _K.VALUE, _EDITORS, own=True, deleters=_EDITORS),
    Rule(("state", ANY), _K.VALUE, _EDITORS, check=_is_state_key, deleters=_EDITORS),
    Rule(("counters", ANY), _K.VALUE, _EDITORS, check=_is_own_share),
    Rule(("intents", ANY), _K.VALUE, _EDITORS, own=True, check=_is_intent),
    Rule(("runs", ANY), _K.MAP, _AGENT),
    Rule(("runs", ANY, "steps"), _K.ARRAY, _AGENT),
    Rule(("runs", ANY, "approvals"), _K.MAP, _AGENT),
    Rule(("runs", ANY, ANY), _K.VALUE, _AGENT, deleters=_AGENT),
    Rule(_STEP, _K.MAP, _AGENT),
    Rule(("runs", ANY, "approvals", ANY), _K.VALUE, _AGENT),
    Rule((*_STEP, "text"), _K.TEXT, _AGENT),
    Rule((*_STEP, ANY), _K.VALUE, _AGENT, deleters=_AGENT),
    Rule((*_STEP, "text", LIST_POSITION), _K.STRING, _AGENT, deleters=_AGENT),
)
_ROOTS: Final = frozenset(rule.path[0] for rule in TABLE)


def _by_end() -> dict[tuple[str, int, str], tuple[Rule, ...]]:
    """The rows that may answer for a path with such a root, length and last key, in the table's order; with
    `ANY` for keys that no row names.
    """
    ends = {(rule.path[0], len(rule.path), rule.path[-1]) for rule in TABLE}
    ends |= {(root, length, ANY) for root, length, _ in ends}
    return {
        (root, length, end): tuple(
            rule
            for rule in TABLE
            if (rule.path[0], len(rule.path)) == (root, length) and rule.path[-1] in (ANY, end)
        )
        for root, length, end in ends
    }


_BY_END: Final = _by_end()


def rule_at(path: Path) -> Rule | None:
    """The row of the table that answers for a path, or None where the schema has no such place."""
    if len(path) == 2 and path[0] == "meta" and path[1].startswith(CONTEXT):
        path = ("meta", CONTEXT)
    root, length = path[0], len(path)
    rows = _BY_END.get((root, length, path[-1]))
    if rows is None:
        rows = _BY_END.get((root, length, ANY), ())
    for rule in rows:
        if rule.matches(path):
            return rule
    return None


class SessionRules:
    """The rule book of session documents, with rules for an application's own roots."""

    def __init__(self, roots: Mapping[str, RootRule] | None = None) -> None:
        """Raises ValueError for a root of the schema, whose rules are fixed."""
        self._roots = dict(roots or {})
        if taken := _ROOTS.intersection(self._roots):
            raise ValueError(f"The rules of {', '.join(sorted(taken))} are fixed; choose another root.")

    def root_kind(self, root: str) -> ContentKind | None:
        return ContentKind.MAP if root in _ROOTS else None

    def judge(self, actor: Actor, client: int, path: Path, content: Content) -> str | None:
        if actor.role is Role.VIEWER:
            return VIEWERS_READ
        if path[0] not in _ROOTS:
            own_rule = self._roots.get(path[0])
            return None if own_rule is None else own_rule.judge(actor, path, content)
        rule = rule_at(path)
        if rule is None:
            return NO_SUCH_PLACE
        if content.kind not in (rule.kind, ContentKind.DELETED):
            return f"here belongs a {rule.kind.value}, not a {content.kind.value}"
        if actor.role not in rule.writers:
            return f"this is not written by the role {actor.role}"
        if rule.own and not _owns(actor, path):
            return f"this belongs to {owner_of(path[1]) or 'nobody'}, not to {actor.user}"
        return _checked(rule, actor, client, path, content)

    def may_delete(self, actor: Actor, path: Path, owner: str) -> bool:
        if path[0] not in _ROOTS:
            own_rule = self._roots.get(path[0])
            allowed = own_rule is None or actor.role in own_rule.deleters
            return allowed and actor.role is not Role.VIEWER
        rule = rule_at(path)
        if rule is None or actor.role not in rule.deleters:
            return False
        return _may_name(actor, path) and (not rule.own or _owns(actor, path))


def _checked(rule: Rule, actor: Actor, client: int, path: Path, content: Content) -> str | None:
    if rule.check is None:
        return None
    if content.kind is ContentKind.DELETED and rule.check not in _CHECKS_OF_KEYS:
        return None
    return rule.check(actor, client, path, content)


_CHECKS_OF_KEYS: tuple[Check, ...] = (_is_state_key, _is_own_share)


def _owns(actor: Actor, path: Path) -> bool:
    return actor.role is Role.SERVER or belongs_to(path[1], actor.user)


def _may_name(actor: Actor, path: Path) -> bool:
    """Whether the actor may touch this key of the state at all."""
    if path[0] != "state":
        return True
    return _is_state_key(actor, 0, path, Content(ContentKind.DELETED)) is None


class CompanionRules:
    """The rule book of a user's companion document: it is that user's alone, whatever the role in the
    session.
    """

    _KINDS = {"draft": ContentKind.TEXT, "read": ContentKind.MAP, "state": ContentKind.MAP}  # noqa: RUF012
    _INSIDE = {"draft": ContentKind.STRING, "read": ContentKind.VALUE, "state": ContentKind.VALUE}  # noqa: RUF012

    def __init__(self, user: str) -> None:
        self.user = user

    def root_kind(self, root: str) -> ContentKind | None:
        return self._KINDS.get(root)

    def judge(self, actor: Actor, client: int, path: Path, content: Content) -> str | None:
        if not self._is_owner(actor):
            return f"the companion document of {self.user} is written by {self.user} alone"
        kind = self._INSIDE.get(path[0])
        if kind is None:
            return None
        if len(path) != 2:
            return NO_SUCH_PLACE
        if content.kind not in (kind, ContentKind.DELETED):
            return f"here belongs a {kind.value}, not a {content.kind.value}"
        if len(path[1]) > MAX_KEY_CHARS:
            return f"a key has at most {MAX_KEY_CHARS} characters"
        return None

    def may_delete(self, actor: Actor, path: Path, owner: str) -> bool:
        return self._is_owner(actor)

    def _is_owner(self, actor: Actor) -> bool:
        return actor.role is Role.SERVER or actor.user == self.user


SESSION_RULES: RuleBook = SessionRules()


def rules_for(companion_of: str | None, session_rules: RuleBook = SESSION_RULES) -> RuleBook:
    """The rule book of a session document (None), or of a user's companion in it."""
    return session_rules if companion_of is None else CompanionRules(companion_of)
