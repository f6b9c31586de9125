"""
The console: the one place that writes to standard output and to standard error.

Output is a courtesy.  Each of the two is written by a thread of its own, so that a pager that
pauses holds up no lease and no lock; nothing that a descriptor or an encoding does to it raises
an error where the work is done.  Results wait until they are written, progress is dropped where
a reader lags behind.  A reader who leaves is no failure; a disk that is full is one, which
`Streams.finish` reports when the work is over.

Between the two streams the order of writing is kept, unless one of them is stuck.
"""

from __future__ import annotations

import codecs
import errno
import io
import os
import select
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import count
from queue import SimpleQueue
from threading import Condition, Lock, Thread  # noqa: TID251  # the writer of a terminal
from time import monotonic  # noqa: TID251  # --help loads no Runtime
from types import MappingProxyType
from typing import Any, NamedTuple, Self, TextIO

_EQUIVALENTS: Mapping[str, str] = MappingProxyType(
    dict(zip("→←↓…·≠±█░", ("->", "<-", "v", "...", "-", "!", "+-", "#", "."), strict=True))
)
"""What stands for a character of ours that a terminal does not have; for all others `?` does."""

_STUCK = 0.25
"""Seconds.  A write that takes longer holds up its own stream alone."""
_PULSE = 0.1
"""Seconds between two looks at whether a stream is stuck, or at the line that moves."""
_CROWDED = 1 << 16
"""Bytes.  Where so many wait to be written, progress is dropped."""
_TEXT, _JSON = "ctxprov.text", "ctxprov.json"
_FOR_PEOPLE = frozenset({"text", "github"})
"""Formats that have the encoding of the terminal or log that shows them."""
_EVER = sys.maxsize


def say(text: str = "") -> None:
    """Write a line of results to standard output."""
    show(f"{text}\n")


def show(text: str) -> None:
    """Write *text*, which has its line ends, to standard output."""
    with at_hand() as console:
        console.out.put_text(text)


def note(line: str) -> None:
    """Write a line beside the results, to standard error."""
    with at_hand() as console:
        if console.out.is_moving:
            console.out.put(b"")  # which takes the line that moves away first
        console.err.put_text(f"{line}\n")


def progress(text: str, *, aside: bool = False) -> None:
    """Write *text* as `show` does, *aside* to standard error, unless its reader lags behind."""
    with at_hand() as console:
        console.progress(text, aside=aside)


def document(content: str | bytes, *, form: str) -> None:
    """Write a document of the format *form* to standard output, whole in every encoding."""
    with at_hand() as console:
        match content:
            case str() if form in _FOR_PEOPLE:
                console.out.put_text(content)
            case str() if form == "json" and not console.out.is_unicode:
                console.out.put(content.encode("ascii", _JSON))
            case str():
                console.out.put(content.encode("utf-8", _TEXT))
            case _:
                console.out.put(content)


def output_is_the_work() -> None:
    """Nothing is done but to print: a reader who does not take all of it is a failure."""
    with at_hand() as console:
        console.output_is_the_work = True


def lose(sentence: str) -> None:
    """Say why a document is not whole: the work goes on, and in the end its status is a failure."""
    from provisioner.escape import plain  # noqa: PLC0415  # --help loses nothing

    with at_hand() as console:
        console.has_lost = True
    note(f"Error: {plain(sentence)}")


@contextmanager
def moving(line: Callable[[], str]) -> Iterator[None]:
    """Keep *line* at the end of standard output, a terminal, for as long as the block lasts."""
    with at_hand() as console:
        console.out.move(line)
        try:
            yield
        finally:
            console.out.move(str)


@contextmanager
def at_hand() -> Iterator[Streams]:
    """The console of this run; outside of one, a console that ends with the block."""
    if _installed:
        yield _installed[-1]
        return
    console = Streams(sys.stdout, sys.stderr)
    yield console
    console.finish()
    console.close()


def hold_descriptors() -> None:
    """
    Open what was closed of standard input, output and error on the null device.

    Else the next file would take its number: a child process would read from it or write to it.
    """
    with suppress(OSError):  # there is no such device
        while (number := os.open(os.devnull, os.O_RDWR)) <= 2:  # noqa: PLR2004  # standard error
            os.set_inheritable(number, True)  # noqa: FBT003  # its only argument
        os.close(number)


class Streams:
    """
    Two streams and what was asked of them.

    As a context it stands in for `sys.stdout` and `sys.stderr`: a library that writes there
    writes by way of it.  Where the work is done no lock is taken, which an exception
    that a signal's handler raises could leave taken: pieces go into an inbox, and a thread hands
    them on.
    """

    def __init__(self, out: TextIO | None, err: TextIO | None) -> None:
        self._changed = Condition()
        self._inbox: SimpleQueue[_Piece | None] = SimpleQueue()
        self.out = _Stream(out, self._changed, self._inbox)
        self.err = _Stream(err, self._changed, self._inbox)
        self.out.other, self.err.other = self.err, self.out
        self.output_is_the_work = False
        self.has_lost = False
        """Whether a write of a document elsewhere failed."""
        for work in (self._route, self.out.run, self.err.run):
            Thread(target=_deaf, args=(work,), name="ctxprov-output", daemon=True).start()

    def __enter__(self) -> Self:
        self._before = sys.stdout, sys.stderr
        sys.stdout, sys.stderr = self.out, self.err
        _installed.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        _installed.remove(self)
        sys.stdout, sys.stderr = self._before
        self.close()

    def progress(self, text: str, *, aside: bool) -> None:
        stream = self.err if aside else self.out
        if stream.size < _CROWDED:
            stream.put_text(text)

    @property
    def is_whole(self) -> bool:
        """Whether all that standard output was to show has arrived there, as far as is known."""
        return self.out.failure is None and not self.out.is_closed

    def mark(self) -> Mark:
        """A mark behind all that was to be written until now."""
        mark = Mark()
        self.out.put(b"", reached=mark.out)
        self.err.put(b"", reached=mark.err)
        return mark

    def finish(self) -> bool:
        """Wait until everything is written, and say, also on standard error, if it is not whole."""
        self.mark().wait()
        if self.out.failure is not None:
            self.err.put_text(f"Error: Standard output cannot be written: {self.out.failure}.\n")
            self.mark().wait()
        lost = self.has_lost or (self.output_is_the_work and self.out.is_closed)
        return self.out.failure is None and self.err.failure is None and not lost

    def close(self) -> None:
        """End the threads, once they have nothing more to write; waits for none that is stuck."""
        self._inbox.put(None)

    def _route(self) -> None:
        """Hand each piece to its stream, in the order of all of them."""
        for number in count():
            piece = self._inbox.get()
            with self._changed:
                if piece is None:
                    self.out.is_ending = self.err.is_ending = True
                else:
                    piece.stream.take(number, piece)
                self._changed.notify_all()
            if piece is None:
                return


class Mark:
    """A place in the output, reached once all before it is written or given up."""

    def __init__(self) -> None:
        self.out, self.err = Lock(), Lock()
        for lock in (self.out, self.err):
            lock.acquire()

    @property
    def is_reached(self) -> bool:
        return not (self.out.locked() or self.err.locked())

    def wait(self) -> None:
        for lock in (self.out, self.err):
            while not lock.acquire(timeout=_PULSE):  # in steps, or Windows would hear no Ctrl-C
                pass


_installed: list[Streams] = []


class _Piece(NamedTuple):
    """What a stream is to write."""

    stream: _Stream
    content: bytes
    reached: Lock | None
    """Opened when all before is written."""
    moving: Callable[[], str] | None
    """The line to keep at the end from now on; None changes nothing."""


class _Stream(io.TextIOBase):
    """One descriptor, written by a thread of its own; None stands for one that is not there."""

    def __init__(
        self, stream: TextIO | None, changed: Condition, inbox: SimpleQueue[_Piece | None]
    ) -> None:
        self.other = self
        self.failure: str | None = None
        """Why not all of it could be written."""
        self.is_closed = stream is None
        """Whether there is no reader, or no longer one."""
        self.is_ending = False
        self.size = 0
        """Bytes that wait."""
        self._stream = stream
        self._changed = changed
        self._inbox = inbox
        self._queue: deque[tuple[int, _Piece]] = deque()
        self._writing: int | None = None
        """The number of what is being written."""
        self._since = self._due = 0.0
        self._moving: Callable[[], str] | None = None
        self._drawn = 0
        """Columns of the line that moves."""
        if stream is not None:
            with suppress(OSError, ValueError):
                stream.flush()

    @property
    def encoding(self) -> str:  # type: ignore[override]  # typeshed has an attribute
        return getattr(self._stream, "encoding", None) or "utf-8"

    @property
    def is_unicode(self) -> bool:
        with suppress(LookupError):
            return codecs.lookup(self.encoding).name == "utf-8"
        return False

    @property
    def is_moving(self) -> bool:
        return self._moving is not None

    def isatty(self) -> bool:
        return is_terminal(self._stream)

    def fileno(self) -> int:
        if self._stream is None:
            raise io.UnsupportedOperation("fileno")
        return self._stream.fileno()

    def writable(self) -> bool:
        return True

    def write(self, text: str, /) -> int:
        """What a library writes."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        self.put_text(text)
        return len(text)

    def put_text(self, text: str) -> None:
        self.put(self._encoded(text))

    def put(self, content: bytes, *, reached: Lock | None = None) -> None:
        """Queue *content* behind all that was put before; never waits, never fails."""
        self._inbox.put(_Piece(self, content, reached, None))

    def move(self, line: Callable[[], str]) -> None:
        """From now on keep *line* at the end; an empty one ends that."""
        self._inbox.put(_Piece(self, b"", None, line))

    def take(self, number: int, piece: _Piece) -> None:
        """The piece that comes next; the lock is held."""
        self._queue.append((number, piece))
        self.size += len(piece.content)

    def run(self) -> None:
        """Write piece by piece, until the end."""
        while (piece := self._next()) is not None:
            content = self._away() + piece.content
            if piece.moving:
                content += self._frame(piece.moving)
            self._try(content)
            with self._changed:
                self._writing, self._due = None, monotonic() + _PULSE
                self._changed.notify_all()
            if piece.reached:
                piece.reached.release()

    def _next(self) -> _Piece | None:
        """Wait for the next piece, an empty one for a line that is to move; None at the end."""
        with self._changed:
            while True:
                if self._queue and self._is_our_turn():
                    self._writing, piece = self._queue.popleft()
                    self.size -= len(piece.content)
                    self._since = monotonic()
                    return piece
                if self._moving and not self._queue and monotonic() >= self._due:
                    self._writing, self._since = _EVER, monotonic()
                    return _Piece(self, b"", None, self._moving)
                if self.is_ending and not self._queue:
                    return None
                self._changed.wait(_PULSE if self._queue or self._moving else None)

    def _is_our_turn(self) -> bool:
        """Whether the other stream has written what came before, or is stuck."""
        return self._queue[0][0] < self.other.first() or self.other.is_stuck()

    def first(self) -> int:
        """The number of the first piece that is not written."""
        if self._writing is not None:
            return self._writing
        return self._queue[0][0] if self._queue else _EVER

    def is_stuck(self) -> bool:
        return self._writing is not None and monotonic() - self._since > _STUCK

    def _away(self) -> bytes:
        drawn, self._drawn = self._drawn, 0
        return b"\r" + b" " * drawn + b"\r" if drawn else b""

    def _frame(self, line: Callable[[], str]) -> bytes:
        text = line()
        self._moving, self._drawn = (line, len(text)) if text else (None, 0)
        return self._encoded(text)

    def _encoded(self, text: str) -> bytes:
        try:
            return text.encode(self.encoding, _TEXT)
        except (LookupError, UnicodeError):  # an encoding that Python lacks, or one of no text
            return text.encode("ascii", _TEXT)

    def _try(self, content: bytes) -> None:
        if self.is_closed or self.failure is not None:
            return
        try:
            self._write(content)
        except OSError as error:
            if _has_reader_left(error):
                self.is_closed = True
            else:
                self.failure = error.strerror or str(error)
        except ValueError:  # a library closed the file
            self.is_closed = True

    def _write(self, content: bytes) -> None:
        """By way of no buffer, whose lock a thread that is stuck would keep at exit."""
        buffer = getattr(self._stream, "buffer", None)
        raw: Any = getattr(buffer, "raw", buffer)
        if raw is None:
            assert self._stream is not None  # noqa: S101  # then it is closed
            self._stream.write(content.decode(self.encoding, "replace"))
            self._stream.flush()
            return
        rest = memoryview(content)
        while rest:
            written = raw.write(rest)
            if written is None:  # a descriptor that does not block, and is full
                select.select([], [raw], [], 1)
            else:
                rest = rest[written:]


def _deaf(work: Callable[[], None]) -> None:
    """Do *work* where no signal arrives: it has to interrupt what the main thread waits for."""
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    work()


def is_terminal(stream: Any) -> bool:  # noqa: ANN401  # a stream, or none
    """Whether *stream* is open on a terminal."""
    try:
        return bool(stream is not None and stream.isatty())
    except ValueError:  # it is closed
        return False


def _has_reader_left(error: OSError) -> bool:
    """Whether the reader has left; Windows says so of a pipe by another number."""
    left = isinstance(error, BrokenPipeError | ConnectionResetError)
    return left or (sys.platform == "win32" and error.errno == errno.EINVAL)


def _equivalent(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)  # noqa: S101  # nothing here decodes
    missing = error.object[error.start : error.end]
    return "".join(_EQUIVALENTS.get(char, "?") for char in missing), error.end


def _json_escape(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)  # noqa: S101  # nothing here decodes
    units = error.object[error.start : error.end].encode("utf-16-be", "replace").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4)), error.end


codecs.register_error(_TEXT, _equivalent)
codecs.register_error(_JSON, _json_escape)
