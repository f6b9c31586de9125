"""The five verbs of `cachedContents`: messages in, JSON out.

It decides what makes a cache, what may change about one, and what its answer says. It refuses to
know HTTP.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import datetime
from typing import Final

import orjson

from provisioner.emulator import models, wire
from provisioner.emulator.calls import Call, Operation, Verb, page_token, parse_page
from provisioner.emulator.errors import Refusal, no_such_cache, violation
from provisioner.emulator.schema import MESSAGES
from provisioner.emulator.store import Row, Store

_ROOT: Final = "cached_content"
_DEFAULT_TTL: Final = 3600 * 1_000_000_000
_LONGEST_DISPLAY_NAME: Final = 128
_OUTPUT_ONLY: Final = frozenset({"createTime", "updateTime", "usageMetadata"})
_MUTABLE: Final = frozenset({"ttl", "expireTime"})
_LAST: Final = 2**63 - 1


class Caches:
    """`min_tokens` overrides what the model table enforces."""

    def __init__(
        self, store: Store, *, clock: Callable[[], datetime], min_tokens: int | None
    ) -> None:
        self._store = store
        self._clock = clock
        self._min_tokens = min_tokens

    @property
    def verbs(self) -> dict[Operation, Verb]:
        return {
            Operation.CREATE: self._create,
            Operation.LIST: self._list,
            Operation.GET: self._get,
            Operation.PATCH: self._patch,
            Operation.DELETE: self._delete,
        }

    def _create(self, call: Call) -> bytes:
        """Life is counted from here on: creation itself takes some of it, as it does there."""
        arrival = self._now()
        asked = wire.parse_body("CachedContent", call.body, _ROOT)
        model = models.find_model(asked.get("model", ""), call.version, "createCachedContent")
        _check_display_name(asked.get("displayName", ""))
        models.check_prompt(asked, "CreateCachedContentRequest")
        expires = _expiry(asked, arrival)
        tokens = models.count(asked)
        self._check_size(tokens.total(), model)
        return self._add(asked, tokens, expires)

    def _list(self, call: Call) -> bytes:
        page = parse_page(call)
        before = _LAST if page.after is None else page.after
        rows = self._store.page(before, page.size + 1, self._now())
        more, shown = len(rows) > page.size, rows[: page.size]
        if not shown:
            return b"{}"
        answers = ",".join(answer for _, answer in shown)
        token = f',"nextPageToken":"{page_token(shown[-1][0])}"' if more else ""
        return f'{{"cachedContents":[{answers}]{token}}}'.encode()

    def _get(self, call: Call) -> bytes:
        return self.find(f"cachedContents/{call.name}").answer.encode()

    def _patch(self, call: Call) -> bytes:
        now = self._now()
        asked = wire.parse_body("CachedContent", call.body, _ROOT)
        if "name" in asked:
            raise wire.already_set("_name", "name", _ROOT)
        expires = _expiry(_changes(asked, call.options.get("update_mask", "")), now)
        spelled = (wire.spell_moment(expires), wire.spell_moment(now))
        answer = self._store.extend(call.name, expires, spelled, now)
        if answer is None:
            raise no_such_cache()
        return answer.encode()

    def _delete(self, call: Call) -> bytes:
        if not self._store.remove(call.name, self._now()):
            raise no_such_cache()
        return b"{}"

    def find(self, name: str) -> Row:
        """The live cache `cachedContents/ID`. Raises Refusal."""
        collection, _, cache = name.partition("/")
        row = self._store.find(cache, self._now()) if collection == "cachedContents" else None
        if row is None:
            raise no_such_cache()
        return row

    def _now(self) -> int:
        return wire.nanoseconds(self._clock())

    def _check_size(self, total: int, model: models.Model) -> None:
        least = model.min_cached_tokens if self._min_tokens is None else self._min_tokens
        if total < least:
            raise _wrong_size("small", total, f"min_total_token_count={least}")
        if total > models.MAX_INPUT_TOKENS:
            raise _wrong_size("large", total, f"max_total_token_count={models.MAX_INPUT_TOKENS}")

    def _add(self, asked: wire.Message, tokens: models.Tokens, expires: int) -> bytes:
        cache, now = secrets.token_hex(20), self._now()
        answer = orjson.dumps(
            {
                "name": f"cachedContents/{cache}",
                "model": asked["model"],
                "createTime": wire.spell_moment(now),
                "updateTime": wire.spell_moment(now),
                "expireTime": wire.spell_moment(expires),
                "displayName": asked.get("displayName", ""),
                "usageMetadata": {"totalTokenCount": tokens.total()},
            }
        )
        counts = orjson.dumps({str(int(kind)): number for kind, number in tokens.items()})
        row = Row(id=cache, model=asked["model"], tokens=counts.decode(), answer=answer.decode())
        self._store.add(row, expires, now)
        return answer


def _wrong_size(size: str, total: int, bound: str) -> Refusal:
    return Refusal(400, f"Cached content is too {size}. total_token_count={total}, {bound}")


def _check_display_name(name: str) -> None:
    if len(name) > _LONGEST_DISPLAY_NAME:
        raise violation(
            f"display_name must be at most {_LONGEST_DISPLAY_NAME} characters long, "
            f"but is {len(name)}.",
            f"{_ROOT}.display_name",
        )


def _expiry(asked: wire.Message, arrival: int) -> int:
    """A moment that has passed is accepted, as it is there: such a cache is never seen again."""
    expires = asked.get("expireTime", arrival + asked.get("ttl", _DEFAULT_TTL))
    if not wire.is_moment(expires):
        raise violation("The expiration is out of range.", f"{_ROOT}.ttl")
    return int(expires)


def _changes(asked: wire.Message, mask: str) -> wire.Message:
    """The part of *asked* that a PATCH is to set: what the mask names, else what is there."""
    named = asked.keys() - _OUTPUT_ONLY if mask in {"", "*"} else _masked(mask)
    if fixed := named - _MUTABLE:
        fields = ", ".join(sorted(MESSAGES["CachedContent"][name].snake for name in fixed))
        raise Refusal(400, f"Only the expiration of a cached content can be updated, not {fields}.")
    changes = {name: asked[name] for name in named if name in asked}
    if not changes:
        raise Refusal(400, "Nothing to update: neither ttl nor expire_time is set.")
    return changes


def _masked(mask: str) -> set[str]:
    fields = MESSAGES["CachedContent"]
    paths = [path.strip() for path in mask.split(",")]
    for path in paths:
        if path not in fields:
            raise violation(f"Invalid field mask path: {path[:80]}", "update_mask")
    return {fields[path].name for path in paths}
