"""Compiles the hot modules with mypyc: a copy of both packages in which those have an extension beside them.

    python compile_hot_modules.py build/compiled
    PYTHONPATH=build/compiled python -m threadline_server serve

The source is the same; a module without its extension runs as plain Python. Needs mypy, setuptools and a C
compiler. The packages of a checkout are left alone, so that what is edited is what runs there. A class that
others outside derive from, such as `Witness`, stays plain Python: a compiled one would refuse them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent
PACKAGES = ("client_py/threadline", "server/threadline_server")
GROUP = "threadline_hot"
HOT = """
    threadline/actors threadline/ids threadline/document/judgement threadline/document/rules
    threadline/protocol/awareness threadline/protocol/sync threadline/protocol/varint
    threadline/protocol/ywebsocket
    threadline_server/app/clock
    threadline_server/backplane/base threadline_server/backplane/cipher threadline_server/backplane/feeds
    threadline_server/backplane/follower threadline_server/backplane/opening
    threadline_server/backplane/sealed_turns threadline_server/backplane/sealer
    threadline_server/backplane/turn_bytes threadline_server/backplane/embedded/appender
    threadline_server/backplane/embedded/heads threadline_server/backplane/embedded/journal
    threadline_server/backplane/embedded/large_turns threadline_server/backplane/embedded/leases
    threadline_server/backplane/embedded/log threadline_server/backplane/embedded/mover
    threadline_server/backplane/embedded/schema threadline_server/backplane/embedded/syncer
    threadline_server/backplane/embedded/turnstile
    threadline_server/backplane/redis/activity threadline_server/backplane/redis/aftermath
    threadline_server/backplane/redis/keys threadline_server/backplane/redis/link
    threadline_server/backplane/redis/links threadline_server/backplane/redis/replication
    threadline_server/backplane/redis/scripts threadline_server/backplane/redis/subscriptions
    threadline_server/backplane/redis/topology threadline_server/backplane/redis/writer
    threadline_server/edge/connection threadline_server/edge/connections
    threadline_server/edge/document_channel threadline_server/edge/encoders
    threadline_server/edge/frame_reader threadline_server/edge/frames
    threadline_server/edge/hocuspocus_channel threadline_server/edge/hocuspocus_socket
    threadline_server/edge/ywebsocket_channel
    threadline_server/rooms/admission threadline_server/rooms/arrivals threadline_server/rooms/awareness
    threadline_server/rooms/catching_up threadline_server/rooms/chains threadline_server/rooms/cuts
    threadline_server/rooms/delete_set threadline_server/rooms/deletion threadline_server/rooms/draft
    threadline_server/rooms/fan_out threadline_server/rooms/flush_pace threadline_server/rooms/flushes
    threadline_server/rooms/gate threadline_server/rooms/gate_limits
    threadline_server/rooms/hearing threadline_server/rooms/host threadline_server/rooms/integration
    threadline_server/rooms/index_stats threadline_server/rooms/index_store
    threadline_server/rooms/item_index threadline_server/rooms/journal threadline_server/rooms/judge
    threadline_server/rooms/key_contest threadline_server/rooms/key_table threadline_server/rooms/keystroke
    threadline_server/rooms/list_order threadline_server/rooms/node_presence threadline_server/rooms/passage
    threadline_server/rooms/replica
    threadline_server/rooms/room threadline_server/rooms/room_log threadline_server/rooms/seat
    threadline_server/rooms/stamper threadline_server/rooms/stamps threadline_server/rooms/state_vector
    threadline_server/rooms/stretch threadline_server/rooms/tail
    threadline_server/rooms/trust threadline_server/rooms/turns
    threadline_server/rooms/update_reader
    threadline_server/rooms/update_writer threadline_server/rooms/verdict
    threadline_server/telemetry/histogram
""".split()  # noqa: SIM905

# Small rather than unrolled, and calls within the extension direct: the caches are cold in most turns of the
# loop. 3% of an agent's token.
_SETUP = """
import sys
from mypyc.build import mypycify
from setuptools import setup

group, options, *modules = sys.argv[1:]
extensions = mypycify(["--config-file", options, *modules], opt_level="2", debug_level="0", group_name=group)
if sys.platform == "linux":
    for extension in extensions:
        extension.extra_compile_args += ["-fvisibility=hidden", "-fno-semantic-interposition", "-fno-plt"]
setup(name=group, packages=[], ext_modules=extensions, script_args=["-q", "build_ext", "--inplace"])
"""
_OPTIONS = """
[mypy]
mypy_path = .
explicit_package_bases = true
follow_imports = silent
ignore_missing_imports = true
disallow_untyped_defs = true
"""


def compile_into(directory: Path) -> list[Path]:
    """Replace `directory` by a tree with the packages; gives back the extensions, relative to it.

    Raises subprocess.CalledProcessError, with what mypyc or the C compiler said in its `stdout`.
    """
    shutil.rmtree(directory, ignore_errors=True)
    for package in PACKAGES:
        ignored = shutil.ignore_patterns("__pycache__", "*.so", "*.pyd")
        shutil.copytree(ROOT / package, directory / Path(package).name, ignore=ignored)
    options = directory / "mypy.ini"
    options.write_text(_OPTIONS)
    modules = [f"{module}.py" for module in HOT]
    subprocess.run(  # noqa: S603 - this Python, these modules
        [sys.executable, "-c", _SETUP, GROUP, options.name, *modules],
        cwd=directory,
        env={**os.environ, "MYPYPATH": "."},
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    for left_over in ("build", ".mypy_cache"):
        shutil.rmtree(directory / left_over, ignore_errors=True)
    options.unlink()
    return sorted(path.relative_to(directory) for path in directory.rglob("*.so"))


def main() -> int:
    directory = Path(sys.argv[1])
    try:
        extensions = compile_into(directory.resolve())
    except subprocess.CalledProcessError as error:
        shutil.rmtree(directory, ignore_errors=True)
        sys.stderr.write(
            f"{error.stdout[-4000:]}\nThe hot modules could not be compiled; plain Python it is.\n"
        )
        return 1
    sys.stderr.write(f"{len(extensions) - 1} modules compiled into {directory}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
