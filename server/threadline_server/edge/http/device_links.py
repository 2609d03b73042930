"""`/api/v1/device-links`: "continue on my phone" (`edge.device_links` says how)."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from pydantic import BaseModel, ConfigDict, Field

from threadline.errors import Forbidden
from threadline.ids import SessionId
from threadline_server.edge.access import Access
from threadline_server.edge.authentication import Principal, Proof
from threadline_server.edge.device_links import DeviceLink, DeviceLinks, Stage
from threadline_server.edge.http.caller import Caller
from threadline_server.edge.http.errors import documented
from threadline_server.edge.http.rate_limit import address_of
from threadline_server.edge.http.sessions import NAME_PATTERN
from threadline_server.edge.http.tries import Tries
from threadline_server.telemetry.audit import Audit

LinkPath = Annotated[str, Path(pattern="^[0-9a-f]{32}$", description="The link's id.")]

_FOR_ONE = (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT)


class NewLink(BaseModel):
    model_config = ConfigDict(extra="forbid")

    session: str = Field(default="", pattern=rf"{NAME_PATTERN}|^$", description="Where to go on there.")


class LinkView(BaseModel):
    """`stage` is `waiting`, `claimed`, `confirmed` or `refused`; once claimed it says by which device."""

    id: str
    stage: str
    session: str
    device: str
    number: str
    expires_s: float
    interval_s: float


class LinkMade(LinkView):
    """`code` is told once. An address carries it behind a `#`, where no server writes it down."""

    code: str


class Claim(BaseModel):
    model_config = ConfigDict(extra="forbid")

    code: str = Field(max_length=64)
    device: str = Field(min_length=1, max_length=64, description="What the new device is called.")


class Claimed(BaseModel):
    """People compare `number` on both devices; `claim` is what to exchange, every `interval_s` seconds."""

    claim: str
    number: str
    expires_s: float
    interval_s: float


class Exchange(BaseModel):
    model_config = ConfigDict(extra="forbid")

    claim: str = Field(max_length=256)


class Exchanged(BaseModel):
    """While `stage` is `claimed` the first device has not decided; `token` comes with `confirmed`, once."""

    stage: str
    token: str = ""
    user: str = ""
    name: str = ""
    session: str = ""


def device_link_routes(
    links: DeviceLinks, access: Access, tries: Tries, audit: Audit, caller: Caller
) -> APIRouter:
    router = APIRouter(prefix="/api/v1/device-links", tags=["devices"])
    Me = Annotated[Principal, Depends(caller)]  # noqa: N806

    def view(link: DeviceLink) -> LinkView:
        return LinkView(
            id=link.id,
            stage=link.stage,
            session=link.session,
            device=link.device,
            number=link.number,
            expires_s=link.expires_s,
            interval_s=links.poll_s,
        )

    @router.post(
        "",
        status_code=HTTPStatus.CREATED,
        responses=documented(HTTPStatus.FORBIDDEN, *_FOR_ONE, HTTPStatus.GONE),
    )
    async def make(me: Me, new: NewLink | None = None) -> LinkMade:
        """Make a code with which another device of the caller signs in, once the caller confirms it."""
        if me.proof is Proof.SERVICE:
            raise Forbidden("A key links no devices: they would outlive it.")
        session = "" if new is None else new.session
        if session:
            await access.look_up(SessionId(session), me)
        link, code = await links.make(me, session)
        return LinkMade(**view(link).model_dump(), code=code)

    @router.get("/{link}", responses=documented(*_FOR_ONE))
    async def look(me: Me, link: LinkPath) -> LinkView:
        """How it stands: whether a device has claimed the code, and which."""
        return view(await links.look(me.user, link))

    @router.post("/{link}/confirm", responses=documented(*_FOR_ONE))
    async def confirm(me: Me, link: LinkPath) -> LinkView:
        """Let the device in that has claimed the code."""
        confirmed = await links.confirm(me.user, link)
        audit.record("device.confirmed", by=me.user, link=link, device=confirmed.device)
        return view(confirmed)

    @router.delete("/{link}", status_code=HTTPStatus.NO_CONTENT, responses=documented(*_FOR_ONE))
    async def refuse(me: Me, link: LinkPath) -> None:
        """Turn the device away, or take the code back."""
        refused = await links.refuse(me.user, link)
        audit.record("device.refused", by=me.user, link=link, device=refused.device)

    @router.post("/claim", responses=documented(HTTPStatus.TOO_MANY_REQUESTS))
    async def claim(request: Request, wanted: Claim) -> Claimed:
        """For the new device, which needs no token: use the code. It is good once."""
        await tries.take(address_of(request.scope))
        link, proof = await links.claim(wanted.code, wanted.device)
        return Claimed(claim=proof, number=link.number, expires_s=link.expires_s, interval_s=links.poll_s)

    @router.post("/exchange", responses=documented(HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS))
    async def exchange(wanted: Exchange) -> Exchanged:
        """For the new device: its token, as soon as the first one has confirmed."""
        done = await links.exchange(wanted.claim)
        if done is None:
            return Exchanged(stage=Stage.CLAIMED)
        link, kept, token = done
        audit.record("device.linked", by=link.maker.user, key=kept.id, device=kept.label)
        return Exchanged(
            stage=Stage.CONFIRMED,
            token=token,
            user=link.maker.user,
            name=link.maker.name,
            session=link.session,
        )

    return router
