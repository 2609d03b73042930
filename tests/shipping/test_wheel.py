"""The wheel: what is in it, and that it is all that somebody needs who has Python and nothing else."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx
import pytest
from tests.raw_device import RawDevice, until_equal
from tests.server_process import ThreadlineProcess

ROOT = Path(__file__).parents[2]
INDEX = "threadline_server/web/index.html"


def build(directory: Path, source: Path = ROOT, **environment: str) -> Path:
    """A pure wheel, with the page only where it is built already."""
    options = ("--wheel", "--no-isolation", "--outdir", str(directory))
    command = [sys.executable, "-m", "build", *options, str(source)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, **environment}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = directory.glob("*.whl")
    return wheel


def checkout(directory: Path, *, page: bool) -> Path:
    """What a fresh clone has, with or without a built page."""
    listed = subprocess.run(
        ["git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        text=True,
        check=True,
    )
    for name in listed.stdout.split("\0"):
        path = ROOT / name
        if (name.startswith(("client_py/", "server/")) or "/" not in name) and path.is_file():
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, directory / name)
    if page:
        dist = directory / "web_demo/dist"
        (dist / "assets").mkdir(parents=True)
        (dist / "index.html").write_text("<title>Threadline</title>")
    return directory


def names_in(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as file:
        return set(file.namelist())


def test_a_wheel_has_the_page_where_it_is_built(tmp_path: Path) -> None:
    names = names_in(build(tmp_path / "out", checkout(tmp_path / "clone", page=True)))
    assert INDEX in names
    assert "threadline_server/backplane/redis/lua/append.lua" in names
    assert "threadline/document/schema.json" in names


def test_a_wheel_that_must_have_the_page_is_not_made_without(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="The web page is not built"):
        build(tmp_path / "out", checkout(tmp_path / "clone", page=False), THREADLINE_PAGE="required")


# In an empty environment, with --full: it fetches every dependency.


def empty_environment(directory: Path) -> Path:
    """A new Python without packages; its `bin`."""
    subprocess.run([sys.executable, "-m", "venv", directory], check=True)
    return directory / "bin"


def path_without_node_and_redis(directory: Path) -> Mapping[str, str]:
    """A PATH on which neither is, however this machine has them."""
    directory.mkdir()
    for name in ("sh", "env", "uname", "ldd", "gcc", "ld"):
        found = shutil.which(name)
        if found is not None:
            (directory / name).symlink_to(found)
    assert shutil.which("node", path=str(directory)) is None
    return {"PATH": str(directory)}


def pip(bin_directory: Path, arguments: Sequence[str | Path], environment: Mapping[str, str]) -> None:
    command = [bin_directory / "python", "-m", "pip", "install", "--quiet", *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, **environment}
    )
    assert done.returncode == 0, done.stderr


class Demo(ThreadlineProcess):
    """`threadline demo` of another Python."""

    def __init__(self, bin_directory: Path, environment: Mapping[str, str], cwd: Path, *verb: str) -> None:
        super().__init__(*verb, cwd=cwd, environment=environment, python=bin_directory / "python")


@pytest.mark.asyncio
async def test_an_empty_environment_with_the_wheel_serves_the_whole_demo(full: bool, tmp_path: Path) -> None:
    if not full:
        pytest.skip("fetches every dependency: with --full")
    environment = path_without_node_and_redis(tmp_path / "path")
    bin_directory = empty_environment(tmp_path / "empty")
    wheel = build(tmp_path / "out", THREADLINE_PAGE="required")
    pip(bin_directory, [wheel], environment)
    demo = Demo(bin_directory, environment, tmp_path, "demo", "--port", "0", "--no-browser")
    url = await demo.start()
    try:
        await use_the_demo(url)
        assert not any("not built" in line for line in demo.output)
    finally:
        assert await demo.stop() == 0
    served = Demo(bin_directory, environment, tmp_path, "serve", "--port", "0", "--data", str(tmp_path / "d"))
    await served.start()
    assert await served.stop() == 0


async def use_the_demo(url: str) -> None:
    """The page with all it names, two devices, and an answer of the agent."""
    async with httpx.AsyncClient(base_url=url) as client:
        page = (await client.get("/")).text
        assets = re.findall(r'(?:src|href)="\./([^"]+)"', page)
        assert any(asset.endswith(".js") for asset in assets)
        for asset in assets:
            assert (await client.get(f"/{asset}")).status_code == 200, asset
    phone, laptop = RawDevice("demo", "ada"), RawDevice("demo", "ben")
    for device in (phone, laptop):
        await device.join(url)
        await device.until_synced()
    await phone.say("hello")
    await phone.until_saved()
    await until_equal(phone, laptop)
    for device in (phone, laptop):
        await device.leave()


@pytest.mark.asyncio
async def test_an_editable_install_of_a_fresh_clone_works_without_node(full: bool, tmp_path: Path) -> None:
    if not full:
        pytest.skip("fetches every dependency: with --full")
    environment = path_without_node_and_redis(tmp_path / "path")
    bin_directory = empty_environment(tmp_path / "empty")
    clone = checkout(tmp_path / "clone", page=False)
    pip(bin_directory, ["--editable", clone], environment)
    demo = Demo(bin_directory, environment, tmp_path, "demo", "--port", "0", "--no-browser")
    url = await demo.start()
    try:
        await demo.said(r"(The web page is not built; `make demo` in a checkout builds it\.)")
        async with httpx.AsyncClient(base_url=url) as client:
            assert (await client.get("/livez")).status_code == 200
            assert "make demo" in (await client.get("/")).text
    finally:
        await demo.stop()
