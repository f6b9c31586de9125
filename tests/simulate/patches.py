"""
Faults that a person could write, each as a patch of one file, and the rule that has to find it.

A patch is a diff: a hunk begins with a line `@@`, but for the first, and has the lines that stand
in the file once together.  Decides nothing: `planted` plays worlds with each of them.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from tests.simulate.checker import Rule


class Patch(Struct, frozen=True, kw_only=True):
    """One fault."""

    name: str
    sentence: str
    file: str
    """Below `provisioner`."""
    diff: str
    rule: Rule
    """The one that has to break."""

    def applied(self, source: str) -> str:
        """*source* with the fault.  Raises ValueError unless each hunk stands there once."""
        for old, new in self._hunks():
            if source.count(old) != 1:
                raise ValueError(
                    f"{self.name}: {self.file} has {source.count(old)} times {old!r}: the code has"
                    " changed. Write the patch for what stands there now."
                )
            source = source.replace(old, new)
        return source

    def _hunks(self) -> Iterator[tuple[str, str]]:
        """The lines before and after, of each hunk."""
        for hunk in self.diff.split("@@\n"):
            lines = hunk.splitlines(keepends=True)
            yield (
                "".join(line[1:] for line in lines if not line.startswith("+")),
                "".join(line[1:] for line in lines if not line.startswith("-")),
            )


def _patch(name: str, rule: Rule, file: str, sentence: str, diff: str) -> Patch:
    return Patch(name=name, rule=rule, file=file, sentence=sentence, diff=diff)


_CREATOR = "providers/gemini/creator.py"
_STEPS = "applier/steps.py"
_APPLIER = "applier/__init__.py"
_APPLY = "operations/apply.py"
_TABLE = "planner/decision_table.py"
_INDEX = "planner/live_index.py"
_LEASE = "storage/lease.py"
_COMMIT = "state/group_commit.py"

PATCHES = (
    # --- created once -----------------------------------------------------------------------------
    _patch(
        "no pause",
        Rule.NEEDLESS_CREATE,
        _CREATOR,
        "after a lost answer the creator lists at once, before the server is done",
        """\
-            creation.lost, failed.least_pause = failed, _LATE
+            creation.lost = failed
""",
    ),
    _patch(
        "list before the pause",
        Rule.NEEDLESS_CREATE,
        _CREATOR,
        "the creator lists as soon as an answer is lost, then pauses, then creates",
        """\
             if creation.label:
+                if made := await self._look(creation):
+                    return made
+                creation.lost = None
""",
    ),
    _patch(
        "blind second create",
        Rule.NEEDLESS_CREATE,
        _CREATOR,
        "a create whose answer was lost is sent again without a LIST",
        """\
-            if creation.lost or creation.looks_first:
+            if creation.looks_first:
""",
    ),
    _patch(
        "twin is never retired",
        Rule.TOO_MUCH_RENT,
        _APPLY,
        "a run that lost an answer does not look for the cache that it made twice",
        """\
-            if is_uncertain and not is_stopping():
+            if is_stopping():
""",
    ),
    _patch(
        "surplus on record",
        Rule.HANDLE_BROKEN,
        "applier/surplus.py",
        "what carries the letters of an uncertain create is retired, though it is on record",
        """\
-        and seen.handle.cache_name not in on_record
""",
    ),
    _patch(
        "list without a GET",
        Rule.NEEDLESS_CREATE,
        "operations/observe.py",
        "a recorded cache that a LIST lacks counts as missing, without a GET",
        """\
-        asked = await _ask(client, [record.handle for record in sample])
+        asked: list[CachedContext] = []
""",
    ),
    _patch(
        "digest of the old content",
        Rule.CREATE_IN_LAST,
        _STEPS,
        "the record of a replaced cache keeps the digest of the old one",
        """\
-            yield Exists(await calls.create(want), leaving)
+            made, old = await calls.create(want), change.record
+            yield Exists(replace(made, digest=old.digest if old else made.digest), leaving)
""",
    ),
    _patch(
        "renamed entry",
        Rule.NEEDLESS_CREATE,
        "planner/__init__.py",
        "an entry that has another name is made again",
        """\
     wanted = tuple(desired)
+    renames = ()
""",
    ),
    _patch(
        "echo of another model",
        Rule.NEEDLESS_CREATE,
        _TABLE,
        "a cache of which the provider reports another model is replaced",
        """\
-    if own and isinstance(record, RecordedCache) and not forced and alike(want, record):
+    is_same = own and own.model == want.model
+    if is_same and isinstance(record, RecordedCache) and not forced and alike(want, record):
""",
    ),
    # --- whose cache, whose edit ------------------------------------------------------------------
    _patch(
        "adopt without digest",
        Rule.NOT_CONVERGED,
        _INDEX,
        "an entry adopts what carries its name, under any digest in the label",
        """\
-            for cache in self.twins.get((want.provider, replace(want.label, name=name)), ())
+            for cache in self.alive.values()
+            if cache.label and cache.label.name == name
+            if cache.label.stack == want.label.stack
""",
    ),
    _patch(
        "prune of every owner",
        Rule.FOREIGN_CHANGED,
        _TABLE,
        "--prune deletes what carries the label of another stack",
        """\
-        if cache.label is None or cache.label.stack != stack or cache.id in index.owners:
+        if cache.label is None or cache.id in index.owners:
""",
    ),
    _patch(
        "strays go without --prune",
        Rule.UNAPPROVED,
        _TABLE,
        "a run deletes strays that it was not asked to delete",
        """\
-            kind = changes.Delete if prune else changes.Leave
+            kind = changes.Delete
""",
    ),
    _patch(
        "approval ignored",
        Rule.UNAPPROVED,
        "approval.py",
        "a run with an approval performs edits beyond it",
        """\
-    edits = {edit.name for edit in plan.edits if edit.digest(plan.stack) not in approved}
+    edits: set[str] = set()
""",
    ),
    _patch(
        "approval by name",
        Rule.UNAPPROVED,
        "model/plan.py",
        "the digest of an edit covers its name, and not what the entry is to be",
        """\
-        return sha256(_ENCODER.encode([stack, self.name, after]).encode()).hexdigest()
+        return sha256(_ENCODER.encode([stack, self.name, bool(after)]).encode()).hexdigest()
""",
    ),
    _patch(
        "keepalive edits",
        Rule.UNAPPROVED,
        "operations/keepalive.py",
        "keepalive makes what the working tree declares",
        """\
-            wishes=recorded_as_desired,
+            wishes=lambda state: tree.desired or recorded_as_desired(state),
""",
    ),
    # --- handles ----------------------------------------------------------------------------------
    _patch(
        "retire before publish",
        Rule.HANDLE_BROKEN,
        _APPLIER,
        "old caches are retired before the new handles are published",
        """\
-    await workers.run(rest, workers.finish)
@@
     rest = [*half_way, *(attempt for attempt in attempts if not attempt.change.makes)]
+    await workers.run(rest, workers.finish)
""",
    ),
    _patch(
        "published without the lock",
        Rule.HANDLE_BROKEN,
        _APPLY,
        "a run that has lost its lock publishes over its successor",
        """\
-            write = partial(publish, handles.backend, handles.name, document, is_ours=is_ours)
+            write = partial(publish, handles.backend, handles.name, document)
""",
    ),
    _patch(
        "dying handle published",
        Rule.HANDLE_BROKEN,
        _APPLY,
        "the handle of an entry that this run removes is published once more",
        """\
-            hidden = {*self._request.hidden, *_dying(self._plan)}
+            hidden = self._request.hidden
""",
    ),
    _patch(
        "previous for too long",
        Rule.HANDLE_BROKEN,
        "handles/__init__.py",
        "the previous handle is published for twice the time that it lives",
        """\
-    return PreviousFields(handle=handle, until=moment_text(cache.until))
+    return PreviousFields(handle=handle, until=moment_text(cache.until + cache.retire_after))
""",
    ),
    _patch(
        "overlap ignored",
        Rule.HANDLE_BROKEN,
        _STEPS,
        "a replaced cache is deleted at once, under any retire_after",
        """\
-        if after == timedelta():
+        if after >= timedelta():
""",
    ),
    _patch(
        "clamped life not believed",
        Rule.HANDLE_BROKEN,
        "model/records.py",
        "the record has the life that was asked for, and not the one that was granted",
        """\
-        return made_of(cls, seen, want, measure=measure)
+        return made_of(cls, seen, want, measure=measure, expires_at=want.life.end(seen.updated_at))
""",
    ),
    # --- rent -------------------------------------------------------------------------------------
    _patch(
        "never shortened",
        Rule.TOO_MUCH_RENT,
        _STEPS,
        "a replaced cache that lives longer than its overlap is left to expire",
        """\
-    if live.expires_at - plan.now_of(live.provider) <= after:
+    if live.expires_at - plan.now_of(live.provider) >= after:
""",
    ),
    _patch(
        "lives add up",
        Rule.TOO_MUCH_RENT,
        _STEPS,
        "a refresh adds the ttl to what is left of the life",
        """\
-            live.handle, before=self.before_extending, **_lifetime(want.life)
+            live.handle, expires_at=want.life.end(live.expires_at)
""",
    ),
    _patch(
        "old cache forgotten",
        Rule.NOT_CONVERGED,
        _TABLE,
        "an entry that is declared no longer goes from the record, and its cache lives on",
        """\
-            yield changes.Retire(own, record, Reason.UNDECLARED, UNDECLARED)
+            yield changes.Forget(record, Reason.UNDECLARED, UNDECLARED_GONE)
""",
    ),
    # --- warm -------------------------------------------------------------------------------------
    _patch(
        "local clock",
        Rule.WENT_COLD,
        "operations/observe.py",
        "what expires is decided by the runner's clock",
        """\
-        ahead={name: difference for name, difference in ahead.items() if difference},
+        ahead={},
""",
    ),
    _patch(
        "late window",
        Rule.WENT_COLD,
        _TABLE,
        "the refresh window is counted from the half of the granted life",
        """\
-    return own.expires_at - want.settings.window(own.granted)
+    return own.expires_at - want.settings.window(own.granted / 4)
""",
    ),
    _patch(
        "expired stays cold",
        Rule.WENT_COLD,
        _TABLE,
        "a cache that has run out is not made again, as if it were to be made once",
        """\
-        case _, RecordedCache() if want.settings.keep == "once" and not forced:
+        case _, RecordedCache() if not forced:
""",
    ),
    # --- state and lock ---------------------------------------------------------------------------
    _patch(
        "dead cache adopted",
        Rule.WENT_COLD,
        _STEPS,
        "a cache that the LIST showed counts as extended, though its PATCH says that it is gone",
        """\
-        return await self.create(want)
+        return RecordedCache.of(want, live, counted=True)
""",
    ),
    _patch(
        "unconditional write",
        Rule.BLIND_WRITE,
        _COMMIT,
        "a conflict is answered by reading again and writing over it",
        """\
-            file = self._ours()
+            file = self.backend.read(self.name)
""",
    ),
    _patch(
        "no fence",
        Rule.BLIND_WRITE,
        _COMMIT,
        "a state whose lock was taken over is not rewritten first",
        """\
-            if lock.took_over:
+            if lock.took_over and lock.is_lost:
""",
    ),
    _patch(
        "monotonic lease",
        Rule.HANDLE_BROKEN,
        _LEASE,
        "the owner of a lease measures its term by a clock that stands still with the machine",
        """\
-        return self._is_taken or self.backend.runtime.boot_seconds() >= self._sure_until
+        return self._is_taken or self.backend.runtime.monotonic() >= self._sure_until
@@
-            remaining = self._sure_until - self.backend.runtime.boot_seconds()
+            remaining = self._sure_until - self.backend.runtime.monotonic()
@@
-        begun = self.backend.runtime.boot_seconds()
+        begun = self.backend.runtime.monotonic()
""",
    ),
    _patch(
        "lease by its until",
        Rule.BLIND_WRITE,
        _LEASE,
        "a lease is taken over once its `until` has passed by the taker's wall clock",
        """\
-        return is_free(file.content) or at - self._since >= self.term.total_seconds()
+        owner = parse_lock_owner(file.content)
+        is_over = owner and owner.until and self.now() >= owner.until
+        return is_free(file.content) or bool(is_over)
""",
    ),
    _patch(
        "lease not watched",
        Rule.BLIND_WRITE,
        _LEASE,
        "any lease is taken over at once",
        """\
-        return is_free(file.content) or at - self._since >= self.term.total_seconds()
+        return is_free(file.content) or at >= self._since
""",
    ),
    _patch(
        "no renewal before retiring",
        Rule.HANDLE_BROKEN,
        _APPLIER,
        "a run retires without a look whether its lock is still its own",
        """\
-        while_locked(renew_lock),
+        None,
""",
    ),
    _patch(
        "another's lock released",
        Rule.BLIND_WRITE,
        _LEASE,
        "a run frees the lock at its end, though another run has it by now",
        """\
-            if self._version is not None and not self._is_taken:
-                own = self._own_version()
+            if file := self.backend.read(lock_name(self.name)):
+                own = file.version
""",
    ),
    _patch(
        "lock not released",
        Rule.LOCK_LEFT,
        "storage/http_backend.py",
        "a run that ends well leaves the lock on the server of states",
        """\
             raise
-        await to_its_end(self.server.runtime, lock.release)
""",
    ),
    _patch(
        "history not ended",
        Rule.DRAFT_LEFT,
        "operations/locked_state.py",
        "the history is not written at the end of a run",
        """\
-        await self.history.end(outcome, fingerprint=fingerprint)
+        del outcome, fingerprint
""",
    ),
    # --- the end of a run -------------------------------------------------------------------------
    _patch(
        "nothing that flips",
        Rule.CRASHED,
        "planner/transitions.py",
        "the moment until which a plan is valid is the first of none",
        """\
-    return min((at for at, now in moments if at is not None and at > now), default=None)
+    return min(at for at, now in moments if at is not None and at > now)
""",
    ),
)
