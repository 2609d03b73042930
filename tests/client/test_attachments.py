"""Small files beside a conversation: one device attaches, another reads what the message names."""

from __future__ import annotations

import pytest
from tests.client.conftest import PATIENCE_S, Connect, until

import threadline
from threadline.errors import LimitExceeded, SessionError


@pytest.mark.asyncio
async def test_a_file_is_attached_to_a_message_and_read_on_another_device(connect: Connect) -> None:
    async with connect("ada") as ada, connect("bob") as bob:
        hers, his = await ada.open("trip"), await bob.open("trip")
        made = await hers.attach("plan.csv", b"city,nights\nBerlin,2\n")
        assert (made["name"], made["type"], made["size"]) == ("plan.csv", "text/csv", 21)
        await hers.send("Read this", attachments=[made])
        await hers.saved(PATIENCE_S)
        await until(his, lambda: len(his.messages) == 1)
        (named,) = his.messages[-1].attachments
        assert named == made
        assert await his.attachment(made["id"]) == b"city,nights\nBerlin,2\n"
        with pytest.raises(SessionError) as failure:
            await his.attachment("nothing/../x")
        assert failure.value.code in ("attachment_not_found", "not_found")
        with pytest.raises(threadline.ThreadlineError) as refused:
            await hers.attach("run.sh", b"rm", "application/x-sh")
        assert refused.value.code == "attachment_refused"


@pytest.mark.asyncio
async def test_a_file_that_is_too_large_is_refused_by_name(connect: Connect) -> None:
    async with connect("ada") as ada:
        session = await ada.open("trip")
        with pytest.raises((SessionError, LimitExceeded)) as failure:
            await session.attach("large.bin", b"x" * (4_194_304 + 1))
        assert failure.value.code == "content_too_large"
