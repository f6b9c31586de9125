"""`ctxprov changed`: which stacks of a repository a branch edits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path, PurePosixPath

from provisioner.cache import Json
from provisioner.catalog import Catalog, load_catalog
from provisioner.checkout import stacks_in
from provisioner.cli import clock, console
from provisioner.cli.checkout import checkout_around, git_around, warn
from provisioner.cli.compare_revisions import plan_against
from provisioner.cli.leftovers import declared, folder_before, is_undeclared
from provisioner.cli.status import Status
from provisioner.errors import CtxprovError
from provisioner.escape import json_text, plain
from provisioner.git import Git, path_from
from provisioner.manifest.stack import stack_at
from provisioner.resolver import load_and_resolve
from provisioner.revision import Export, is_same_tree, merge_base


def list_changed_stacks(folder: Path, base: str, *, models: Path | None, as_json: bool) -> Status:
    """List the stacks that a branch edits."""
    console.output_is_the_work()
    changes = _Changes(git_around(folder), base, load_catalog(models), clock.now())
    edited = [
        (stack, environment)
        for stack, environments in sorted(changes.edited())
        for environment in environments
    ]
    if as_json:
        rows: list[Json] = [
            {
                "stack": str(stack),
                "env": environment or "",
                "removed": changes.is_removed(stack, environment),
            }
            for stack, environment in edited
        ]
        console.document(json_text({"include": rows}), form="json")
    else:
        for stack, environment in edited:
            console.say(plain(f"{stack} --env {environment}" if environment else str(stack)))
    return Status.OK


class _Changes:
    """The working tree around *git* against the merge base with *ref*."""

    def __init__(self, git: Git, ref: str, catalog: Catalog, now: datetime) -> None:
        self._top = git.top
        self._base = merge_base(git, ref)
        self._here = stacks_in(git)
        self._catalog = catalog
        self._now = now
        for reason in dict.fromkeys((*self._here.unseen, *self._base.unseen())):
            warn(f"{reason}. The stacks in it are not compared.")

    def edited(self) -> Iterator[tuple[PurePosixPath, Sequence[str | None]]]:
        """Each stack whose files are others, with the environments that are another stack."""
        moved = {stack: self._before(stack) for stack in self._here.here}
        for stack, before in moved.items():
            yield stack, self._edited(stack, before)
        for stack in self._base.stacks() - set(moved) - self._here.left_out - set(moved.values()):
            yield stack, self._edited(stack, stack)
        for stack in self._here.left_out:
            if not is_same_tree(self._base.git, self._base.commit, "HEAD", stack):
                yield stack, self._edited(stack, stack) or (None,)

    def is_removed(self, stack: PurePosixPath, environment: str | None) -> bool:
        """Whether the branch declares it no longer; what is only left out is declared."""
        return stack not in self._here.left_out and is_undeclared(self._folder(stack), environment)

    def _before(self, stack: PurePosixPath) -> PurePosixPath:
        name = stack_at(self._folder(stack))
        return folder_before(self._base, stack, name) if name else stack

    def _folder(self, stack: PurePosixPath) -> Path:
        return self._top / path_from(str(stack))

    def _edited(self, stack: PurePosixPath, before: PurePosixPath) -> list[str | None]:
        """Which environments are another than in the folder *before*; None if there are none."""
        here = self._folder(stack)
        with self._base.files(before) as there:
            old = declared(there.folder) if there else ()
            environments = dict.fromkeys((*declared(here), *old))
            return [one for one in environments if there is None or self._differs(here, there, one)]

    def _differs(self, here: Path, there: Export, environment: str | None) -> bool:
        checkouts = ((here, checkout_around(here)), (there.folder, there))
        try:
            (new, after), (old, before) = (
                load_and_resolve(
                    place, self._catalog, environment=environment, checkout=checkout, now=self._now
                )
                for place, checkout in checkouts
            )
        except CtxprovError:
            return True
        plan = plan_against(
            new, after.desired, before.desired, settings=old.settings, now=self._now
        )
        return bool(plan.digests) or old.stack != new.stack
