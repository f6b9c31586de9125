"""
Every expected failure, as one tree:

* CtxprovError
  + CacheError               a provider refused, or could not be asked
    - CacheCreationFailed    … to a create
    - CacheExpired           … because the cache's time had passed
    - CacheNotFound          … because there is no such cache
    - InvalidCacheConfiguration   … because the request can never succeed as it is
      · ContentChanged       the content is not what was planned
      · MissingKey           there is no API key to ask with
    - ProviderNotSupported   the provider has no such verb
    - NetworkError           the answer is unknown or cannot be had now
      · RequestRefused       … because of the key, a permission or a quota
      · Interrupted          … because the run ends before the request went out
    - ParseError             the answer is not what the API promises
  + ManifestError            the manifest is wrong; carries every problem
  + StateError               the state cannot be trusted, read or written
    - StateLocked            another run holds it
    - StateNewer             a newer ctxprov wrote it
    - StateTaken             another run has written it or taken its lock meanwhile
    - BackendUnreachable     its backend cannot be reached now
    - StateUnreadable        the backend does not show whether there is one
    - Unsaved                the last save of a run failed
    - ScopeRefused           the state belongs to another project
  + PublishError             the handles cannot be written or read
  + GitFailed                git refuses, or cannot be asked; the message says why
    - GitMissing             this machine has no git
    - GitTimeout             git gave no answer in time
  + Refused                  ctxprov does not do this unless it is asked to
    - StackMoved             … because the stack has another name now

Anything else that escapes is a bug and keeps its traceback.  Messages may hold a
server's or a file's own text: the code that prints it escapes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from itertools import groupby
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from provisioner.arguments import wrong_type
from provisioner.cache import CachedContext, CacheHandle, ClaudeHandle, GeminiHandle, OpenAIHandle

MOST_PROBLEMS = 50
"""So many problems of a manifest are shown; the rest is counted."""
LONGEST = 500
"""Characters of a problem's sentence, or of its key, that are shown."""


_LONGEST_NAME = 200


class CtxprovError(Exception):
    """
    Base of everything that ends in one paragraph rather than in a traceback.

    May be pickled and copied, with any arguments that its class has.
    """

    @property
    def message(self) -> str:
        """What failed, why, and what to do."""
        return str(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self).__new__, (type(self), *self.args), vars(self)


class CacheError(CtxprovError):
    """
    A provider refused, or could not be asked.

    `status` is the HTTP status and `words` the server's own message, where there are
    any; `retryable` says whether the same call may succeed later, and `retry_after` how
    much later, where the server or the learned quota says so.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        words: str | None = None,
        retryable: bool = False,
        retry_after: timedelta | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.words = words
        self.retryable = retryable
        self.retry_after = retry_after


class CacheCreationFailed(CacheError):
    """A cache could not be made."""

    def __init__(
        self,
        provider: str,
        reason: str,
        *,
        status: int | None = None,
        words: str | None = None,
        retryable: bool = False,
        retry_after: timedelta | None = None,
    ) -> None:
        super().__init__(
            f"{provider} did not create the cache: {reason}",
            status=status,
            words=words,
            retryable=retryable,
            retry_after=retry_after,
        )
        self.provider = provider
        self.reason = reason


class _OfHandle(CacheError):
    fate: str

    def __init__(
        self, handle: CacheHandle, *, status: int | None = None, words: str | None = None
    ) -> None:
        super().__init__(f"{name_of(handle)} {self.fate}", status=status, words=words)
        self.handle = handle


class CacheExpired(_OfHandle):
    """The cache's time had passed."""

    fate = "has expired"


class CacheNotFound(_OfHandle):
    """There is no such cache, or this key may not see it."""

    fate = "does not exist (or this key may not see it)"


class InvalidCacheConfiguration(CacheError):
    """The request can never succeed as it is."""

    def __init__(self, reason: str, *, status: int | None = None, words: str | None = None) -> None:
        super().__init__(reason, status=status, words=words)
        self.reason = reason


class ContentChanged(InvalidCacheConfiguration):
    """The content cannot be read any more, or is not what was planned."""


class MissingKey(InvalidCacheConfiguration):
    """There is no API key to ask with."""


class ProviderNotSupported(CacheError):
    """The provider keeps no caches that could be asked for."""

    def __init__(self, provider: str) -> None:
        super().__init__(f"{provider} keeps no cache that could be asked for")
        self.provider = provider


class NetworkError(CacheError):
    """No answer, or one that says to come back later."""


class RequestRefused(NetworkError):
    """A bad key, a missing permission or an exhausted quota."""


class Interrupted(NetworkError):
    """The run ends; the request was not sent."""


class ParseError(CacheError):
    """The server's answer is not what the API promises."""


class Problem(Struct, frozen=True, order=True):
    """One thing wrong with a manifest.  `line` and `column` count from 1."""

    file: str
    line: int
    column: int
    where: str
    """The key, such as `caches.manual.ttl`; may be empty."""
    message: str
    note: str = ""
    """Which of many it is about, where one key speaks for many."""

    @property
    def sentence(self) -> str:
        """The message with its note, cut where it is longer than anyone reads."""
        return clipped(f"{self.message} ({self.note})" if self.note else self.message)

    def __str__(self) -> str:
        key = f"{clipped(self.where)}: " if self.where else ""
        return f"{self.file}:{self.line}:{self.column}: {key}{self.sentence}"


def clipped(text: str, most: int = LONGEST) -> str:
    """*text*, or as much of it as *most* characters hold, with a mark."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def each_once(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """*problems*, sorted; what is wrong for many is one problem, with their number."""
    many = groupby(sorted(problems), key=lambda problem: replace(problem, note=""))
    return tuple(_together([*alike]) for _, alike in many)


def _together(alike: Sequence[Problem]) -> Problem:
    """One problem for all that are *alike* but for their notes, by which they are sorted."""
    first, rest = alike[0], len(alike) - 1
    if not rest:
        return first
    if not first.note:
        return replace(first, note=f"{rest + 1:,} caches")
    return replace(first, note=f"{first.note} and {'one' if rest == 1 else f'{rest:,}'} more")


class ManifestError(CtxprovError):
    """The manifest is invalid; `problems` holds why, as `each_once` returns it."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = each_once(problems)
        rest = len(self.problems) - MOST_PROBLEMS
        more = [f"… and {rest:,} more problems"] if rest > 0 else []
        super().__init__("\n".join([*map(str, self.problems[:MOST_PROBLEMS]), *more]))


class StateError(CtxprovError):
    """The state cannot be trusted, read or written."""


class StateLocked(StateError):
    """Another run holds the state."""


class StateNewer(StateError):
    """A newer ctxprov wrote a document of this stack: only an upgrade can read it."""


class StateTaken(StateError):
    """Another run has written the state, or taken its lock, since it was read."""


class BackendUnreachable(StateError):
    """The backend of the state cannot be reached now."""


class StateUnreadable(StateError):
    """
    The backend does not show whether there is a state: access was refused, or may have been.

    Nothing may take it for a state that is absent.
    """


class Unsaved(StateError):
    """The last save of a run failed; `content` is the state that was to be written."""

    def __init__(self, message: str, *, content: bytes) -> None:
        super().__init__(message)
        self.content = content


class ScopeRefused(StateError):
    """The state's caches are not in the project that this key belongs to."""


class PublishError(CtxprovError):
    """The published handles cannot be written or read."""


class GitFailed(CtxprovError):
    """Git refuses, or cannot be asked."""


class GitMissing(GitFailed):
    """This machine has no git."""


class GitTimeout(GitFailed):
    """Git gave no answer in time."""


class Refused(CtxprovError):
    """Ctxprov does not do this unless it is asked to."""


class StackMoved(Refused):
    """The stack has another name now, and so has its state."""


def name_of(handle: CacheHandle | CachedContext) -> str:
    """Name the cache of *handle* in a sentence.  Raises TypeError if it is no handle."""
    match handle:
        case CachedContext():
            return handle.handle.cache_name
        case GeminiHandle(cache_name):
            return cache_name
        case ClaudeHandle():
            return "the claude annotation"
        case OpenAIHandle():
            return "the openai annotation"
        case _:
            raise no_handle(handle)


def no_handle(got: object) -> TypeError:
    """The error for *got*, which should have been a handle."""
    if isinstance(got, str) and len(got) <= _LONGEST_NAME:
        return wrong_type("a handle", "a GeminiHandle", got, instead=f"GeminiHandle({got!r})")
    return wrong_type("a handle", "what create_cache returned", got)
