"""`/api/v1/sign-in`, `/me`, `/tickets`, `/keys`, `/revocations`: proofs of who somebody is, and their end."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, ConfigDict, Field

from threadline.errors import Forbidden
from threadline.ids import agent_user
from threadline_server.edge.access_watch import AccessWatch
from threadline_server.edge.authentication import Principal, Proof
from threadline_server.edge.http.caller import Caller
from threadline_server.edge.http.errors import documented
from threadline_server.edge.identity import Identity
from threadline_server.edge.kept_tokens import KeptToken, TokenKind
from threadline_server.edge.revocations import Subject
from threadline_server.telemetry.audit import Audit

YEAR_S = 366 * 24 * 3600


class Ticket(BaseModel):
    """For `?token=` of an address: good for one use, within `expires_in_s` seconds."""

    ticket: str
    expires_in_s: float


class NewKey(BaseModel):
    model_config = ConfigDict(extra="forbid")

    label: str = Field(min_length=1, max_length=128)
    agent: str = Field(
        default="",
        pattern="^[A-Za-z0-9._:@-]{0,96}$",
        description="Name of the agent that comes with it, instead of the caller. Operators only.",
    )
    expires_in_s: int | None = Field(default=None, ge=60, le=10 * YEAR_S)


class KeyView(BaseModel):
    """`kind` is `service` for a key, `device` for a linked device; `current`: it is what the caller uses."""

    id: str
    user: str
    label: str
    kind: str
    created_s: float
    expires_s: float | None
    current: bool = False


class KeyMade(KeyView):
    """`token` is told once; the server keeps a digest of it."""

    token: str


class KeyList(BaseModel):
    keys: list[KeyView]


class SignIn(BaseModel):
    """`way`: `none` takes a name as token, `pairing` a code at `/pair`, `token` what an issuer signed."""

    way: Literal["none", "pairing", "token"]


class Me(BaseModel):
    """`proof` is `name`, `signed`, `service` or `device`; `expires_s` is null for what does not end."""

    user: str
    name: str
    proof: str
    expires_s: float | None


class Revocation(BaseModel):
    """Everything that was issued until now to a user, or one token (`jti`) or one device of the caller."""

    model_config = ConfigDict(extra="forbid")

    subject: Literal["user", "token", "device"]
    name: str = Field(min_length=1, max_length=128)


def identity_routes(
    identity: Identity,
    watch: AccessWatch,
    audit: Audit,
    authenticated: Caller,
    *,
    operators: Iterable[str],
) -> APIRouter:
    """`operators` are users who may revoke what belongs to others."""
    router = APIRouter(prefix="/api/v1", tags=["identity"])
    By = Annotated[Principal, Depends(authenticated)]  # noqa: N806
    may_revoke_all = frozenset(operators)
    tickets, kept = identity.tickets, identity.kept

    @router.get("/sign-in")
    async def sign_in() -> SignIn:
        """What this server asks for; it needs no token."""
        return SignIn(way=identity.way)

    @router.get("/me", responses=documented())
    async def who_am_i(caller: By) -> Me:
        """Who the caller is to this server."""
        return Me(user=caller.user, name=caller.name, proof=caller.proof, expires_s=caller.expires_s)

    @router.post("/tickets", status_code=HTTPStatus.CREATED, responses=documented())
    async def ticket(caller: By) -> Ticket:
        """A ticket for a client that can send nothing but an address."""
        return Ticket(ticket=await tickets.issue(caller), expires_in_s=tickets.life_s)

    @router.post(
        "/keys",
        status_code=HTTPStatus.CREATED,
        responses=documented(HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS),
    )
    async def make_key(caller: By, new: NewKey) -> KeyMade:
        """A key for a service that acts as the caller, who signed in; operators make those of agents."""
        if caller.proof in (Proof.SERVICE, Proof.DEVICE):
            raise Forbidden("A key or a linked device makes no keys: they would outlive it. Sign in first.")
        holder = caller
        if new.agent:
            if caller.user not in may_revoke_all:
                raise Forbidden("Operators make the keys of agents: whoever has one speaks as that agent.")
            holder = Principal(agent_user(new.agent), new.agent)
        made, token = await kept.issue(holder, TokenKind.SERVICE, new.label, new.expires_in_s)
        audit.record("key.made", by=caller.user, key=made.id, user=holder.user)
        return KeyMade(**key_view(made).model_dump(), token=token)

    @router.get("/keys", responses=documented())
    async def keys(caller: By) -> KeyList:
        """The caller's keys and linked devices; for operators those of agents too."""
        found = await kept.of_user(caller.user)
        if caller.user in may_revoke_all:
            found += await kept.of_agents()
        return KeyList(keys=[key_view(each, caller) for each in found])

    @router.delete(
        "/keys/{key}", status_code=HTTPStatus.NO_CONTENT, responses=documented(HTTPStatus.NOT_FOUND)
    )
    async def revoke_key(caller: By, key: Annotated[str, Path(max_length=64)]) -> None:
        """End a key or a linked device, and what is open with it."""
        of_agents = await kept.of_agents() if caller.user in may_revoke_all else []
        if any(each.id == key for each in of_agents):
            await kept.drop(key)
        else:
            await kept.forget(caller.user, key)
        audit.record("key.revoked", by=caller.user, key=key)
        await watch.revoke(Subject.TOKEN, key)

    @router.post(
        "/revocations", status_code=HTTPStatus.NO_CONTENT, responses=documented(HTTPStatus.FORBIDDEN)
    )
    async def revoke(caller: By, wanted: Revocation) -> None:
        """End tokens before their time; whatever is open with them is closed on every node."""
        if not (caller.user in may_revoke_all or _is_own(caller, wanted)):
            raise Forbidden("You may revoke your own user, and the token or device that you use.")
        audit.record("revoked", by=caller.user, subject=wanted.subject, name=wanted.name)
        subject = Subject(wanted.subject)
        if subject is Subject.USER:
            for each in await kept.of_user(wanted.name):
                await kept.forget(wanted.name, each.id)
        else:
            await kept.drop(wanted.name)
        await watch.revoke(subject, wanted.name)

    return router


def _is_own(me: Principal, wanted: Revocation) -> bool:
    own = {"user": me.user, "token": me.token, "device": me.device_id}
    return own[wanted.subject] == wanted.name


def key_view(kept: KeptToken, caller: Principal | None = None) -> KeyView:
    return KeyView(
        id=kept.id,
        user=kept.user,
        label=kept.label,
        kind=kept.kind,
        created_s=kept.created_s,
        expires_s=kept.expires_s,
        current=caller is not None and caller.token == kept.id,
    )
