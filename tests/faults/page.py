"""The page that `events.c` shares with the tests: five machine words."""

from __future__ import annotations

import struct
from mmap import mmap
from typing import ClassVar

from msgspec import Struct

_FORM = "5l"


class Page(Struct, frozen=True):
    """Armed or not, the events so far, the event to die at, before or after it, and who dies."""

    SIZE: ClassVar[int] = struct.calcsize(_FORM)

    raw: mmap

    def arm(self, *, victim: int, target: int, after: bool) -> None:
        """Count from one on; the *target*-th event of the process is its last, 0 for none."""
        self.raw[: self.SIZE] = struct.pack(_FORM, 1, 0, target, after, victim)

    def disarm(self) -> None:
        armed = struct.calcsize("l")
        self.raw[:armed] = bytes(armed)

    @property
    def count(self) -> int:
        return int(struct.unpack(_FORM, self.raw[: self.SIZE])[1])
