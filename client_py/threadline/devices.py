"""Devices of a user: listing them, signing one off, and letting a further one in ("continue on my phone").

link = await client.devices.link("trip")      a device that is signed in shows link.url as a QR code
await link.claimed()                          until another one has used it
await link.confirm()                          when both show link.number

token = await link_device(url, code, "Pixel 9", show)     the other device
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict

from threadline.http_api import HttpApi
from threadline.token import Token


class Key(BaseModel):
    """A linked device (`kind` device) or a key of a service; `current`: it is what this client uses."""

    model_config = ConfigDict(extra="allow")

    id: str
    user: str = ""
    label: str
    kind: str
    created_s: float
    expires_s: float | None
    current: bool = False


class LinkedDevice(BaseModel):
    """What a new device is given: the token to connect with from now on, and where to go on."""

    token: str
    user: str
    name: str = ""
    session: str = ""


class DeviceLink:
    """code:    what the other device types, good once
    url:     an address of the web page with the code behind a `#`, for a QR code
    stage:   waiting, claimed, confirmed or refused, as of the last `look`
    device, number:   what the other device calls itself and shows, once it has claimed the code
    """

    def __init__(self, api: HttpApi, url: str, made: dict[str, Any]) -> None:
        self._api = api
        self.code = str(made["code"])
        self.url = f"{url}/#/link/{self.code}"
        self._take(made)

    async def look(self) -> str:
        """The stage now. Raises SessionError, code `link_not_found`, when it was used or is too old."""
        self._take(await self._api.call("GET", self._path))
        return self.stage

    async def claimed(self) -> None:
        """Wait until a device has used the code. Raises as `look`."""
        while await self.look() == "waiting":  # noqa: ASYNC110  (what is waited for is elsewhere)
            await asyncio.sleep(self._interval_s)

    async def confirm(self) -> None:
        """Let that device in. Ask first whether it shows `number`."""
        self._take(await self._api.call("POST", f"{self._path}/confirm"))

    async def refuse(self) -> None:
        """Turn that device away, or take the code back."""
        await self._api.call("DELETE", self._path)
        self.stage = "refused"

    @property
    def _path(self) -> str:
        return f"/device-links/{self.id}"

    def _take(self, view: dict[str, Any]) -> None:
        self.id = str(view["id"])
        self.stage = str(view["stage"])
        self.device = str(view["device"])
        self.number = str(view["number"])
        self._interval_s = float(view["interval_s"])


class Devices:
    """`client.devices`."""

    def __init__(self, api: HttpApi, url: str) -> None:
        self._api = api
        self._url = url

    async def list(self) -> Sequence[Key]:
        """This user's linked devices and keys, oldest first."""
        body = await self._api.call("GET", "/keys")
        return [Key.model_validate(key) for key in body["keys"]]

    async def revoke(self, key_id: str) -> None:
        """Sign a device off; what it has open ends on every node within a second."""
        await self._api.call("DELETE", f"/keys/{key_id}")

    async def link(self, session: str = "") -> DeviceLink:
        """A code for another device of this user; `session` is where it goes on. Raises LimitExceeded."""
        made = await self._api.call("POST", "/device-links", body={"session": session})
        return DeviceLink(self._api, self._url, made)

    async def ticket(self) -> str:
        """What an address may carry in place of a token: good once, for a minute."""
        return str((await self._api.call("POST", "/tickets"))["ticket"])


async def link_device(
    url: str, code: str, device: str, show: Callable[[str], None] = lambda number: None
) -> LinkedDevice:
    """Use a code of another device, and wait until that one confirms; `show` is told the number to compare.

    Raises ThreadlineError with the code `expired_token` for a code that is wrong, used or too old, and
    `access_denied` when the other device says no.
    """
    api = HttpApi(url.rstrip("/"), Token(""))
    try:
        claimed = await api.call("POST", "/device-links/claim", body={"code": code, "device": device})
        show(str(claimed["number"]))
        body = {"claim": claimed["claim"]}
        while True:
            answer = await api.call("POST", "/device-links/exchange", body=body)
            if answer["stage"] == "confirmed":
                return LinkedDevice.model_validate(answer)
            await asyncio.sleep(float(claimed["interval_s"]))
    finally:
        await api.close()
