"""Being somebody else: by presence, by token, by the name of a document, from another page."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Sequence

import httpx
from joserfc.jwk import OctKey
from tests.attacks.mark import EDITOR, PAIR, STRANGER, VIEWER, Mark, Succeeded
from tests.hostile import updates
from tests.raw_device import PATIENCE_S, websocket_url
from tests.signing import claims_of, sign, token_of, unsigned
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin

from threadline.protocol import hocuspocus
from threadline.protocol.hocuspocus import Authenticate, Message
from threadline.protocol.sync import SyncStep1
from threadline.protocol.ywebsocket import AwarenessUpdate, QueryAwareness

EVIL = "evil"
"""A field of every presence that attackers announce, by which bystanders recognise it."""


async def others_awareness(mark: Mark) -> None:
    """Speak for ada's device, end its presence, or call oneself ada."""
    forged = json.dumps({"user": "ada", "name": "ada", "role": "owner", EVIL: True})
    as_object = json.dumps({"user": {"id": "ada", "name": "ada"}, EVIL: True})
    async with mark.member() as eve:
        for clock in (1, 1_000, (1 << 32) - 1):
            for state in (forged, as_object, "null"):
                await eve.send(AwarenessUpdate(updates.awareness((mark.client, clock, state))))
        await eve.send(AwarenessUpdate(updates.awareness((eve.doc.client_id, 1, forged))))
        await eve.until_answered()
    async with mark.member(VIEWER) as victor:
        await victor.send(AwarenessUpdate(updates.awareness((victor.doc.client_id, 1, as_object))))
        await victor.until_answered()


async def malformed_awareness(mark: Mark) -> None:
    many = [(1_000_000 + n, 1, '{"evil":true}') for n in range(9_000)]
    for entries in (
        updates.awareness((7, (1 << 53) - 1, "{}")),
        updates.awareness((7, 1, "[" * 5_000 + "]" * 5_000)),
        updates.awareness((7, 1, '{"a":' * 3_000 + "1" + "}" * 3_000)),
        updates.awareness((7, 1, '{"evil":"' + "x" * 20_000 + '"}')),
        updates.awareness((7, 1, '{"evil":1e999}')),
        updates.awareness(*many),
        b"\xff" * 200,
        b"\x05\x01",
    ):
        async with mark.member() as eve:
            await eve.send(AwarenessUpdate(entries))
            await eve.until_answered()


def bad_tokens() -> Sequence[str]:
    """What a node with one shared secret must refuse; the verifier's own tests have more."""
    head, _, signature = token_of(EDITOR).split(".")
    now_s = int(time.time())
    return (
        "",
        "ada",
        "a.b.c",
        unsigned({"alg": "none"}, claims_of("ada")),
        unsigned({"alg": "NoNe", "typ": "JWT"}, claims_of("ada")),
        unsigned({"alg": "HS512"}, claims_of("ada"), b"x" * 64),
        unsigned({"typ": "JWT"}, claims_of("ada"), b"x" * 32),
        ".".join((head, token_of("ada").split(".")[1], signature)),
        token_of("ada").rpartition(".")[0] + ".",
        token_of("ada")[:-4],
        sign(claims_of("ada"), OctKey.generate_key(256)),
        sign(claims_of("ada"), kid="../../dev/null"),
        sign(claims_of("ada"), jku="https://evil.example/keys"),
        token_of("ada", exp=None),
        token_of("ada", exp=now_s - 60),
        token_of("ada", exp=now_s + 10 * 365 * 86_400),
        token_of("ada", iat=None),
        token_of("ada", nbf=now_s + 600),
        token_of("ada", aud="other"),
        token_of("ada", iss="https://evil.example"),
        token_of("ada", sub=None),
        token_of("server:"),
        token_of("agent:travel"),
        token_of("ada", name="x" * 5_000),
    )


async def bad_token(mark: Mark) -> None:
    for token in bad_tokens():
        await _must_be_denied(mark, PAIR, token)
    async with httpx.AsyncClient(base_url=mark.url) as client:
        for token in bad_tokens()[3:]:
            answer = await client.get("/api/v1/sessions", headers={"Authorization": f"Bearer {token}"})
            if answer.status_code != 401:
                raise Succeeded(f"{answer.status_code} for a bad token")


async def _must_be_denied(mark: Mark, document: str, token: str, *questions: Message) -> None:
    """Every frame until the denial holds nothing but that."""
    async with connect(websocket_url(mark.url), compression=None, proxy=None) as socket:
        await socket.send(hocuspocus.encode(document, SyncStep1(b"\x00")))
        await socket.send(hocuspocus.encode(document, Authenticate(token, "4.8.0")))
        for question in questions:
            await socket.send(hocuspocus.encode(document, question))
        async with asyncio.timeout(PATIENCE_S):
            data = await socket.recv()
        assert isinstance(data, bytes)
        answer = hocuspocus.decode_from_server(data).message
        if type(answer).__name__ != "PermissionDenied":
            raise Succeeded(f"{type(answer).__name__} for a bad token")


async def others_documents(mark: Mark) -> None:
    """A session one has no part in, and another member's drafts."""
    await _must_be_denied(mark, PAIR, token_of(STRANGER), SyncStep1(b"\x00"), QueryAwareness())
    for user in (EDITOR, VIEWER, STRANGER):
        await _must_be_denied(mark, f"{PAIR}~ada", token_of(user), SyncStep1(b"\x00"))
    for name in (f"{PAIR}~ada~me", f"{PAIR}/../x", f"{PAIR}~", "~ada", f"{PAIR}~ADA"):
        await _must_be_denied(mark, name, token_of(EDITOR))


async def token_tricks(mark: Mark) -> None:
    """A second user on a document that is open, a token in the address, another's lineage."""
    async with mark.member() as eve:
        await eve.send(Authenticate(token_of(STRANGER), "4.8.0"))
        await eve.until(lambda: eve.denied is not None or len(eve.scopes) > 1, "it was refused")
        if len(eve.scopes) > 1:
            raise Succeeded("an open document changed its user")
    path = f"/sync/{PAIR}?token={token_of('ada')}"
    async with connect(websocket_url(mark.url, path), compression=None, proxy=None) as socket:
        async with asyncio.timeout(PATIENCE_S):
            await socket.wait_closed()
        if socket.close_code != 4401:
            raise Succeeded(f"an address carried a token: {socket.close_code}")
    await _must_be_denied(mark, PAIR, f"{token_of(EDITOR)} lineage=01J00000000000000000000000")
    await _must_be_denied(mark, PAIR, f"{token_of(STRANGER)} user=ada device=x")


ORIGINS = ("http://evil.example", "null", "http://127.0.0.1:1", "https://127.0.0.1", "file://")


async def bad_origin(mark: Mark) -> None:
    for origin in ORIGINS:
        try:
            socket = await connect(websocket_url(mark.url), origin=Origin(origin), proxy=None)
        except InvalidStatus as refused:
            assert refused.response.status_code == 403, refused.response.status_code
        else:
            await socket.close()
            raise Succeeded(f"a page of {origin} was let in")


async def rest_of_others(mark: Mark) -> None:
    """The HTTP API with the token of somebody who has no part in the session, or only reads."""
    calls: tuple[tuple[str, str, object], ...] = (
        ("GET", "", None),
        ("GET", "/history", None),
        ("GET", "/members", None),
        ("PUT", "/members/mallory", {"role": "owner"}),
        ("POST", "/invitations", {}),
        ("POST", "/runs", {"goal": "x"}),
        ("PATCH", "", {"title": "Mine"}),
        ("DELETE", "", None),
    )
    for user in (STRANGER, VIEWER):
        headers = {"Authorization": f"Bearer {token_of(user)}"}
        async with httpx.AsyncClient(base_url=mark.url, headers=headers) as client:
            for method, path, body in calls[0 if user == STRANGER else 3 :]:
                answer = await client.request(method, f"/api/v1/sessions/{PAIR}{path}", json=body)
                if answer.status_code < 400:
                    raise Succeeded(f"{method} {path} gave {user} {answer.status_code}")


async def guessed_codes(mark: Mark) -> None:
    headers = {"Authorization": f"Bearer {token_of(STRANGER)}"}
    async with httpx.AsyncClient(base_url=mark.url, headers=headers) as client:
        for _ in range(10):
            code = f"{random.getrandbits(64):016x}"
            answer = await client.post("/api/v1/invitations/accept", json={"code": code})
            if answer.status_code < 400:
                raise Succeeded("a guessed invitation was taken")
