"""Tools come as JSON, from a file or from the manifest."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.cache import Json
from provisioner.manifest import FileSpec, Folder, InlineJson, Place, Unreadable
from provisioner.manifest.source_map import YamlDocument
from provisioner.resolver.tools_json import size_of, tool_config_of, tools_of

PLACE = Place(YamlDocument("f", {}, {}), ())
FILE = FileSpec("tools.json", None, PLACE)


def folder(root: Path, content: str | bytes) -> Folder:
    raw = content.encode() if isinstance(content, str) else content
    (root / "tools.json").write_bytes(raw)
    return Folder(root)


def test_tools(tmp_path: Path) -> None:
    """A list of tools is the same from a file and from the manifest."""
    tools: Json = [{"functionDeclarations": [{"name": "ä", "rate": 0.5}]}, {"codeExecution": {}}]
    text = '[{"functionDeclarations": [{"name": "ä", "rate": 0.5}]},\r\n {"codeExecution": {}}]'
    files = folder(tmp_path, "\ufeff" + text)

    assert list(tools_of(files, FILE)) == list(tools_of(files, InlineJson(tools, PLACE))) == tools


def test_tool_config(tmp_path: Path) -> None:
    """So is their configuration."""
    files = folder(tmp_path, '{"mode": "ANY"}')

    assert tool_config_of(files, FILE) == tool_config_of(files, InlineJson({"mode": "ANY"}, PLACE))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[1,", "is not JSON: line 1, column 4: Expecting value"),
        ('[\n{"a": 1\n"b": 2}]', "is not JSON: line 3, column 1: Expecting ',' delimiter"),
        ('[{"a": 1, "a": 2}]', "is not JSON: the key 'a' is given twice"),
        ("[NaN]", "is not JSON: NaN is no number in JSON"),
        ('[{"a": [-1e999]}]', "is not JSON: the number '-1e999' is too large"),
        ("[" + "9" * 5000 + "]", "is not JSON: Exceeds the limit (4300 digits)"),
        (r'[{"a": "\ud800"}]', "is not JSON: 'utf-8' codec can't encode character"),
        ("{}", "must hold a list of tools, each in the provider's own keys and values"),
        ("[1]", "must hold a list of tools, each in the provider's own keys and values"),
        ("[" * 100_000, "nests deeper than 60 levels"),
        ("[" * 70 + "]" * 70, "nests deeper than 60 levels"),
        (b"\xff", "is not UTF-8 text"),
        ("", "is empty"),
    ],
)
def test_bad_tools(tmp_path: Path, content: str | bytes, message: str) -> None:
    """A file that holds no tools says what is wrong with it."""
    with pytest.raises(Unreadable) as caught:
        tools_of(folder(tmp_path, content), FILE)

    assert str(caught.value).startswith(message)


def test_bad_config(tmp_path: Path) -> None:
    """A configuration is keys and values."""
    with pytest.raises(Unreadable, match="must hold keys and values"):
        tool_config_of(folder(tmp_path, "[]"), FILE)


def test_size() -> None:
    """JSON counts by its characters, and nothing counts as nothing."""
    assert size_of({"ä": 1}, None, {}) == len('{"ä": 1}')
