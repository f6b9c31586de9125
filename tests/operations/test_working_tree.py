"""The working tree is read as far as it goes, and what is wrong in it stops no schedule."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.cache import TextPart
from provisioner.errors import ContentChanged, ManifestError
from provisioner.operations.load import WorkingTree, working_tree
from provisioner.operations.session import StackOptions
from tests.builders import NOW, desired
from tests.stacks import FLASH, stack

A = f"a: {{{FLASH}, content: a.md}}"


def read(root: Path) -> WorkingTree:
    return working_tree(root, StackOptions(), now=NOW)


def test_content_at_hand(tmp_path: Path) -> None:
    """Content is found by its digest, under any name; other content is at hand no more."""
    tree = read(stack(tmp_path, A, files={"a.md": "word " * 4000}))
    assert tree.desired
    (want,) = tree.desired

    assert tree.digests() == {want.digest}
    content = tree.reader()(desired("b", digest=want.digest))
    assert content.parts == (TextPart("word " * 4000),)
    with pytest.raises(ContentChanged, match="no longer has the content of b"):
        tree.reader()(desired("b"))


@pytest.mark.parametrize(
    "caches", [(A,), (A, "b: {nonsense: 1}")], ids=["a missing file", "a wrong entry"]
)
def test_half_edited(tmp_path: Path, caches: tuple[str, ...]) -> None:
    """Of a tree that is in error the manifest is known, and no content is at hand."""
    tree = read(stack(tmp_path, *caches))

    assert tree.manifest.stack == "demo"
    assert tree.desired is None
    assert not tree.digests()


def test_no_stack(tmp_path: Path) -> None:
    """Without the stack's name there is nothing to go by."""
    (tmp_path / "ctxprov.yaml").write_text("version: 1\n")
    with pytest.raises(ManifestError, match="stack"):
        read(tmp_path)
