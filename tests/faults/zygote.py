"""
Runs commands of ctxprov, each in a process of its own that has no start-up to pay for.

Started under the preloaded library of `events.c`.  Reads one request a line from standard input,
forks, arms the counter in the child, and answers with the child's status and its events.  Knows
nothing of what the commands do.
"""

from __future__ import annotations

import json
import os
import pkgutil
import signal
import sys
from importlib import import_module
from mmap import mmap
from pathlib import Path
from typing import Any

import provisioner
from tests.faults.page import Page


def main() -> None:
    _import_everything()
    with Path(os.environ["KILL_PAGE"]).open("r+b") as file, mmap(file.fileno(), Page.SIZE) as raw:
        page = Page(raw)
        for line in sys.stdin:
            sys.stdout.write(json.dumps(_answer(json.loads(line), page)) + "\n")
            sys.stdout.flush()


def _answer(request: dict[str, Any], page: Page) -> dict[str, int]:
    page.disarm()
    child = os.fork()
    if child == 0:
        _become(request, page)
    _, status = os.waitpid(child, 0)
    page.disarm()
    return {"status": os.waitstatus_to_exitcode(status), "events": page.count}


def _become(request: dict[str, Any], page: Page) -> None:
    """Be the command that is asked for, until the end."""
    os.setsid()
    os.chdir(request["cwd"])
    os.environ.update(request["environ"])
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for descriptor, place in ((1, request["output"]), (2, request["errors"])):
        os.dup2(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), descriptor)
    sys.argv = ["ctxprov", *request["words"]]
    from provisioner.__main__ import main as command  # noqa: PLC0415  # loaded by now

    page.arm(victim=os.getpid(), target=request["target"], after=request["after"])
    try:
        command()
    except SystemExit as end:
        sys.stdout.flush()
        sys.stderr.flush()
        page.disarm()
        os._exit(end.code if isinstance(end.code, int) else 1)
    finally:
        os._exit(70)


def _import_everything() -> None:
    """Every module that a command imports late; a child that is forked then has them."""
    for one in pkgutil.walk_packages(provisioner.__path__, "provisioner."):
        if not one.name.startswith(("provisioner.emulator", "provisioner.__main__")):
            import_module(one.name)
    for library in ("obstore", "rich.progress"):
        import_module(library)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    main()
