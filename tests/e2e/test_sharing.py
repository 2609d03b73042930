"""Sharing in the page: invitation links with a role, the list of members, and what a removed one sees."""

from __future__ import annotations

import pytest
from playwright.async_api import expect
from tests.e2e.axe import violations_light_and_dark
from tests.e2e.browser_device import BrowserDevice, same_digest
from tests.e2e.conftest import Devices
from tests.signing import token_of

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def invitation(owner: BrowserDevice, role: str, uses: str = "one") -> str:
    """A link that the owner creates in the dialog, which stays open."""
    await owner.by("invite-role").select_option(role)
    await owner.by("invite-lasts").select_option("hour")
    await owner.by("invite-uses").select_option(uses)
    url = owner.by("invite-url")
    former = await url.input_value() if await url.count() else ""
    await owner.by("invite").click()
    await expect(url).not_to_have_value(former)
    return await url.input_value()


async def share(owner: BrowserDevice) -> None:
    await owner.show_panel()
    await owner.by("share").click()
    await owner.by("share-dialog").wait_for()


async def test_a_link_lets_somebody_write_until_they_are_removed(known_devices: Devices) -> None:
    ada = await known_devices.device("ada", "Laptop", token=token_of("ada"))
    bob = await known_devices.device("bob", "Pixel 9", phone=True, token=token_of("bob"))
    await ada.open("trip")
    await ada.send("Find hotels in Berlin")
    await ada.finished_answers(1)
    await share(ada)
    url = await invitation(ada, "editor")
    await bob.page.goto(url)
    await bob.by("composer").wait_for()
    assert await bob.page.evaluate("location.hash") == "#/s/trip"
    await bob.is_saved()
    await bob.send("Under $150 a night")
    await ada.finished_answers(2)
    await same_digest(ada.digest, bob.digest)
    await ada.by("share-close").click()
    await share(ada)
    member = ada.page.locator("[data-testid=member][data-user=bob]")
    await expect(member).to_have_attribute("data-role", "editor")
    assert await violations_light_and_dark(ada.page) == []

    await member.get_by_role("combobox").select_option("viewer")
    await expect(member).to_have_attribute("data-role", "viewer")
    await expect(bob.by("composer")).to_be_disabled()
    await member.get_by_role("button").click()
    await expect(member).to_have_count(0)
    await expect(bob.by("banner")).to_have_attribute("data-code", "4403")
    await expect(bob.by("banner")).to_contain_text("no access")
    again = await ada.context.request.put(
        f"{ada.url}/api/v1/sessions/trip/members/bob",
        headers={"Authorization": f"Bearer {token_of('ada')}"},
        data={"role": "editor"},
    )
    assert again.ok
    await bob.by("try-again").click()
    await bob.is_saved()
    await expect(bob.by("composer")).to_be_enabled()
    await ada.by("share-close").click()
    await ada.is_saved()


async def test_a_link_works_as_often_as_it_says_and_not_once_taken_back(known_devices: Devices) -> None:
    ada = await known_devices.device("ada", "Laptop", token=token_of("ada"))
    others = [
        await known_devices.device(user, "Phone", phone=True, token=token_of(user))
        for user in ("bob", "cara", "dan")
    ]
    await ada.open("trip")
    await share(ada)
    once = await invitation(ada, "viewer")
    bob, cara, dan = others
    await bob.page.goto(once)
    await bob.by("composer").wait_for()
    await expect(bob.by("composer")).to_be_disabled()
    cara.expected.append("status of 403")
    await cara.page.goto(once)
    await expect(cara.by("join-failed")).to_contain_text("used up")
    assert await violations_light_and_dark(cara.page) == []
    any_number = await invitation(ada, "editor", "any")
    listed = ada.by("invitation").filter(has_text="any number")
    await listed.get_by_test_id("take-back").click()
    await expect(listed).to_have_count(0)
    dan.expected.append("status of 403")
    await dan.page.goto(any_number)
    await expect(dan.by("join-failed")).to_contain_text("taken back")


async def test_somebody_made_a_reader_while_away_is_led_through_a_reset(known_devices: Devices) -> None:
    ada = await known_devices.device("ada", "Laptop", token=token_of("ada"))
    bob = await known_devices.device("bob", "Pixel 9", phone=True, token=token_of("bob"))
    await ada.open("trip")
    await share(ada)
    await bob.page.goto(await invitation(ada, "editor"))
    await bob.by("composer").wait_for()
    await bob.is_saved()
    await bob.go_offline()
    await bob.send("written while away")
    await ada.by("share-close").click()
    await share(ada)
    member = ada.page.locator("[data-testid=member][data-user=bob]")
    await member.get_by_role("combobox").select_option("viewer")
    await expect(member).to_have_attribute("data-role", "viewer")
    await ada.by("share-close").click()
    await bob.come_back()
    await expect(bob.by("banner")).to_have_attribute("data-code", "4409")
    await bob.by("reset-replica").click()
    await expect(bob.by("left-over")).to_contain_text("written while away")
    await bob.is_saved()
    await expect(bob.by("composer")).to_be_disabled()
    await ada.send("Find hotels in Berlin")
    await bob.finished_answers(1)
    assert await ada.texts() == await bob.texts() == ["Find hotels in Berlin"]
