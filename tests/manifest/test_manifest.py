"""The files of a stack are found, read together, and wrong together."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from provisioner.errors import ManifestError
from provisioner.manifest import load_frame, load_manifest, read_manifest
from provisioner.manifest.entries import at_most
from provisioner.model.stack_settings import HALF, Bound, Limits
from tests.stacks import FLASH, HEAD, complaints, stack, write

NO_MANIFEST = (
    "empty/ctxprov.yaml:1:1: does not exist: run ctxprov init, or name the stack's folder, "
    "as the argument or with -C"
)
CACHE = f"{{{FLASH}, content: a.md}}"
FRAGMENT = f"version: 1\ncaches:\n  b: {CACHE}\n"


@pytest.mark.parametrize("name", ["", "ctxprov.yaml", "more.ctxprov.yaml"])
def test_arguments(tmp_path: Path, name: str) -> None:
    """A folder, its ctxprov.yaml and a fragment beside it all name the whole stack."""
    write(tmp_path, f"{HEAD}caches: {{a: {CACHE}}}", {"more.ctxprov.yaml": FRAGMENT})

    manifest = load_manifest(tmp_path / name)

    assert list(manifest.caches) == ["a", "b"]
    assert (manifest.stack, manifest.root) == ("demo", tmp_path)
    assert manifest.path == tmp_path / "ctxprov.yaml"


def test_frame(tmp_path: Path) -> None:
    """What stands around the caches is read as it is written."""
    text = f"{HEAD}state: ../state\npublish: handles.json\ncaches: {{}}\n"
    manifest = load_manifest(write(tmp_path, text))

    assert (manifest.state, manifest.publish) == ("../state", "handles.json")
    assert manifest.caches == {}


def test_order(tmp_path: Path) -> None:
    """Caches come in the order of ctxprov.yaml, then of the fragments by name."""
    one = "{provider: gemini, model: m, ttl: 1h, content: a}"
    files: dict[str, str | bytes] = {
        f"{name}.ctxprov.yaml": f"version: 1\ncaches: {{{name}2: {one}, {name}1: {one}}}\n"
        for name in "zb"
    }
    manifest = load_manifest(write(tmp_path, f"{HEAD}caches: {{m: {one}, a: {one}}}", files))

    assert list(manifest.caches) == ["m", "a", "b2", "b1", "z2", "z1"]


def test_fragment_defaults(tmp_path: Path) -> None:
    """Defaults of ctxprov.yaml hold in fragments, and are complained of where they stand."""
    files: dict[str, str | bytes] = {
        "x.ctxprov.yaml": "version: 1\ncaches: {b: {provider: gemini, content: a}}\n"
    }
    write(tmp_path, f"{HEAD}defaults: {{gemini: {{model: m, ttl: 1s}}}}\n", files)

    assert complaints(tmp_path) == [
        "ctxprov.yaml:3:31: defaults.gemini.ttl: must be from 1m to 365d, not 1s"
    ]


def test_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are spelled as the user would, whichever way the stack is named."""
    monkeypatch.chdir(write(tmp_path, "version: 2\n"))

    spelled = set()
    for place in (".", "ctxprov.yaml", f"../{tmp_path.name}"):
        with pytest.raises(ManifestError) as caught:
            load_manifest(Path(place))
        spelled.add(caught.value.problems[0].file)

    assert spelled == {"ctxprov.yaml", f"../{tmp_path.name}/ctxprov.yaml"}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere", "nowhere:1:1: does not exist"),
        ("notes.md", "notes.md:1:1: is not a manifest: name a folder or its ctxprov.yaml"),
        (
            "empty",
            NO_MANIFEST,
        ),
        (
            "empty/x.ctxprov.yaml",
            NO_MANIFEST,
        ),
        ("gone/ctxprov.yaml", "gone:1:1: does not exist"),
    ],
)
def test_no_stack(tmp_path: Path, name: str, message: str) -> None:
    """What is no stack is said in one line."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.md").touch()

    with pytest.raises(ManifestError) as caught:
        load_manifest(tmp_path / name)

    assert str(caught.value) == f"{tmp_path}/{message}"


@pytest.mark.parametrize("name", ["ctxprov.yml", "more.ctxprov.yml"])
def test_misnamed(tmp_path: Path, name: str) -> None:
    """A file that looks like a part of the stack but would not be read is an error."""
    write(tmp_path, f"{HEAD}caches: {{}}\n", {name: FRAGMENT})

    assert complaints(tmp_path) == [
        f"{name}:1:1: would not be read: its name must end in ctxprov.yaml"
    ]


def test_hidden(tmp_path: Path) -> None:
    """What an editor leaves behind is no fragment."""
    write(tmp_path, f"{HEAD}caches: {{}}\n")
    (tmp_path / ".#x.ctxprov.yaml").symlink_to("somebody@somewhere")

    assert load_manifest(tmp_path).caches == {}


def test_declared_twice(tmp_path: Path) -> None:
    """A name declared in two files is an error that shows both places."""
    files: dict[str, str | bytes] = {"x.ctxprov.yaml": FRAGMENT, "y.ctxprov.yaml": FRAGMENT}
    write(tmp_path, f"{HEAD}caches:\n  b: {CACHE}\n", files)

    first = f"{tmp_path}/ctxprov.yaml:4:3"
    assert complaints(tmp_path) == [
        f"x.ctxprov.yaml:3:3: caches.b: is declared twice; also at {first}",
        f"y.ctxprov.yaml:3:3: caches.b: is declared twice; also at {first}",
    ]


def test_nothing_declared(tmp_path: Path) -> None:
    """A stack without the key `caches` is an error, one that says it has none is not."""
    assert complaints(write(tmp_path, HEAD)) == [
        "ctxprov.yaml:1:1: declares nothing: add 'caches:', or 'caches: {}' if none should exist"
    ]
    assert load_manifest(stack(tmp_path)).caches == {}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a: \xff", "x.ctxprov.yaml:1:4: is not UTF-8: save it as UTF-8"),
        (
            b"",
            "x.ctxprov.yaml:1:1: is empty; a manifest begins with 'version: 1' and 'stack: NAME'",
        ),
    ],
)
def test_bad_fragment(tmp_path: Path, content: bytes, message: str) -> None:
    """A fragment that cannot be read is reported with what is wrong elsewhere."""
    write(tmp_path, f"{HEAD}oh: no\ncaches: {{}}\n", {"x.ctxprov.yaml": content})

    assert complaints(tmp_path)[1:] == [message]


def test_links(tmp_path: Path) -> None:
    """A fragment that is a symlink out of the folder is refused unread."""
    root = write(tmp_path / "stack", f"{HEAD}caches: {{}}\n")
    (tmp_path / "secret").write_text("top: secret")
    (root / "x.ctxprov.yaml").symlink_to(tmp_path / "secret")

    assert complaints(root) == ["x.ctxprov.yaml:1:1: lies outside of the manifest's folder"]


def test_folder_for_fragment(tmp_path: Path) -> None:
    """A folder in the place of a fragment is an error and no fragment."""
    write(tmp_path, f"{HEAD}caches: {{}}\n")
    (tmp_path / "x.ctxprov.yaml").mkdir()

    assert complaints(tmp_path) == ["x.ctxprov.yaml:1:1: is a folder: name a file"]


def test_huge(tmp_path: Path) -> None:
    """A file too large to be a manifest is refused unread."""
    write(tmp_path, f"{HEAD}caches: {{}}\n")
    with (tmp_path / "x.ctxprov.yaml").open("wb") as file:
        file.truncate(65 * 1024 * 1024)

    assert complaints(tmp_path) == [
        "x.ctxprov.yaml:1:1: is 68,157,440 bytes long; a manifest has at most 67,108,864"
    ]


def test_hundred_problems(tmp_path: Path) -> None:
    """A hundred problems are a hundred lines, sorted, each once."""
    caches = "".join(f"  c{i:02}: {{provider: gemini, tll: 1h}}\n" for i in range(50))
    found = complaints(write(tmp_path, f"{HEAD}caches:\n{caches}"))

    assert len(found) == len(set(found)) == 100
    assert [line.split(":")[1] for line in found] == [str(4 + i // 2) for i in range(100)]


def test_draft(tmp_path: Path) -> None:
    """With problems, what is right can still be looked at."""
    draft = read_manifest(stack(tmp_path, f"a: {CACHE}", "b: {provider: gemini, content: b}"))

    assert draft.manifest is not None
    assert list(draft.manifest.caches) == ["a"]
    assert len(draft.problems) == 2


@pytest.mark.parametrize(
    "cache",
    [
        f"'m-{{each}}': {{{FLASH}, each: 'gone/*', content: x}}",
        "a: {provider: gemini, model: m, ttl: 0s, content: x}",
        "a: {provider: gemini, tll: 1h}",
        "a: {provider: nobody, content: x}",
    ],
)
def test_a_frame_stands(tmp_path: Path, cache: str) -> None:
    """A frame stands also if caches, and moves to them, are wrong."""
    head = "state: there\npublish: h.json\nproviders: {b: {type: gemini, key_env: GEMINI_B}}\n"
    text = f"{HEAD}{head}moved: [{{from: x, to: y}}]\ncaches:\n  {cache}\n"
    frame = load_frame(write(tmp_path, text))

    assert len(complaints(tmp_path)) > 1
    assert (frame.stack, frame.root) == ("demo", tmp_path)
    assert (frame.state, frame.publish) == ("there", "h.json")
    assert frame.providers == {"gemini": None, "b": "GEMINI_B"}


@pytest.mark.parametrize(
    ("head", "files", "message"),
    [
        ("publsh: h.json", {}, "publsh"),
        ("providers: {b: {key_env: GEMINI_B}}", {}, "providers.b.type"),
        ("defaults: {nobody: {ttl: 1h}}", {}, "defaults.nobody"),
        ("environments: {dev: {}}", {}, "choose one with --env"),
        ("", {"f.ctxprov.yaml": "<<<<<<< ours\n"}, "f.ctxprov.yaml"),
        ("", {"f.ctxprov.yaml": "version: 1\nstack: other\ncaches: {}\n"}, "stack"),
    ],
)
def test_a_frame_falls(
    tmp_path: Path, head: str, files: dict[str, str | bytes], message: str
) -> None:
    """Anything else that is wrong is reported, with what is wrong with caches."""
    text = f"{HEAD}{head}\ncaches: {{a: {{provider: gemini, tll: 1h}}}}\n"
    with pytest.raises(ManifestError, match=message) as caught:
        load_frame(write(tmp_path, text, files))

    assert "tll" in str(caught.value)


def test_ten_thousand(tmp_path: Path) -> None:
    """Ten thousand caches in a hundred files are one stack."""
    files: dict[str, str | bytes] = {
        f"f{i:02}.ctxprov.yaml": "version: 1\ncaches:\n"
        + "".join(f"  c-{i}-{j}: {CACHE}\n" for j in range(100))
        for i in range(100)
    }
    with at_most(10_000):
        manifest = load_manifest(write(tmp_path, HEAD, files))

    assert len(manifest.caches) == 10_000
    assert manifest.caches["c-99-99"].model == "gemini-3.8-flash"


def limits(root: Path, text: str) -> Limits:
    return load_manifest(write(root, f"{HEAD}limits: {text}\ncaches: {{}}\n")).limits


def test_what_is_said(tmp_path: Path) -> None:
    """Every bound is exact and knows its line and column; text and number are one amount."""
    found = limits(
        tmp_path,
        "{delete: {count: 3, percent: 20}, replace: {percent: 100}, "
        "rent_per_hour: 0.10, rent_total_per_30_days: 250}",
    )

    assert found.delete.count == Bound(Decimal(3), None)
    assert found.delete.percent == Bound(Decimal(20), None)
    assert found.replace.percent == Bound(Decimal(100), None)
    assert found.rent_per_hour == Bound(Decimal("0.10"), None)
    assert found.rent_total_per_30_days == Bound(Decimal(250), None)
    assert found.delete.count.where == f"{tmp_path}/ctxprov.yaml:3:19"
    assert limits(tmp_path, '{rent_per_hour: "2"}').rent_per_hour == Bound(Decimal(2), None)


@pytest.mark.parametrize("text", ["{}", "{rent_per_hour: 1}"])
def test_what_is_not_said(tmp_path: Path, text: str) -> None:
    """Half of five or more may be deleted or replaced, and money has no limit."""
    found = limits(tmp_path, text)

    assert (found.delete, found.replace) == (HALF, HALF)
    assert found.rent_total_per_30_days is None


def test_one_key_is_the_whole_word(tmp_path: Path) -> None:
    """Who names a count means no percentage."""
    found = limits(tmp_path, "{delete: {count: 3}}").delete

    assert (found.percent, found.of_at_least) == (None, 0)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{delte: {count: 1}}", "10: limits.delte: is not a key here; did you mean delete?"),
        ("{delete: {}}", "10: limits.delete: is empty; it must be count, percent, or both"),
        (
            "{delete: {percent: 101}}",
            "19: limits.delete.percent: must be a whole number from 0 to 100, not 101",
        ),
        (
            "{replace: {count: -1}}",
            "20: limits.replace.count: must be a whole number that is not negative, not -1",
        ),
        *(
            (
                f"{{rent_per_hour: {amount}}}",
                f"10: limits.rent_per_hour: must be an amount of USD such as 2 or 0.50, not {text}",
            )
            for amount, text in (
                ("-1", "-1"),
                ("$2", "'$2'"),
                ("1e3", "'1e3'"),
                ("true", "true"),
            )
        ),
    ],
)
def test_what_is_wrong(tmp_path: Path, text: str, complaint: str) -> None:
    """A bound that is none is a problem at its key."""
    write(tmp_path, f"{HEAD}limits: {text}\ncaches: {{}}\n")

    assert complaints(tmp_path) == [f"ctxprov.yaml:3:{complaint}"]


def test_fragments_have_none(tmp_path: Path) -> None:
    """Limits are those of the stack: a fragment cannot loosen them."""
    files: dict[str, str | bytes] = {"x.ctxprov.yaml": "version: 1\ncaches: {}\nlimits: {}\n"}
    write(tmp_path, HEAD, files)

    assert complaints(tmp_path) == [
        "x.ctxprov.yaml:3:1: limits: must be left out here: ctxprov.yaml alone holds it"
    ]


def test_an_environment_has_its_own(tmp_path: Path) -> None:
    """Its limits win one by one, and are found where they stand."""
    text = (
        f"{HEAD}limits: {{rent_per_hour: 1, delete: {{count: 1, percent: 9}}}}\n"
        "environments:\n  dev:\n  prod:\n    limits: {rent_per_hour: 20, delete: {count: 5}}\n"
        "caches: {}\n"
    )
    prod = load_manifest(write(tmp_path, text), environment="prod").limits
    dev = load_manifest(tmp_path, environment="dev").limits

    assert prod.rent_per_hour == Bound(Decimal(20), None)
    assert prod.delete.percent is None
    assert prod.delete.count == Bound(Decimal(5), None)
    assert prod.delete.count.where == f"{tmp_path}/ctxprov.yaml:7:42"
    assert prod.replace == HALF
    assert dev.rent_per_hour == Bound(Decimal(1), None)
    assert dev.delete.percent == Bound(Decimal(9), None)


MOVABLE = f"caches: {{a: {{{FLASH}, content: a}}, b: {{{FLASH}, content: b}}}}\n"


def test_moves(tmp_path: Path) -> None:
    """Several old names may have come to one; only their order counts."""
    text = f"{HEAD}moved: [{{from: x, to: a}}, {{from: y, to: a}}]\n{MOVABLE}"

    assert load_manifest(write(tmp_path, text)).moved == (("x", "a"), ("y", "a"))


def test_moves_in_environments(tmp_path: Path) -> None:
    """A move to a cache that another environment has is neither made here nor wrong."""
    overlay = f"{{dev: {{caches: {{c: {{{FLASH}, content: c}}, a: null}}}}, prod: }}"
    moves = "moved: [{from: x, to: c}, {from: y, to: a}]"
    root = write(tmp_path, f"{HEAD}environments: {overlay}\n{moves}\n{MOVABLE}")

    assert load_manifest(root, environment="dev").moved == (("x", "c"),)
    assert load_manifest(root, environment="prod").moved == (("y", "a"),)


def test_names_that_an_environment_lacks(tmp_path: Path) -> None:
    """A name that a template makes elsewhere is declared, though this environment leaves it out."""
    template = f"'n-{{each}}': {{{FLASH}, each: t/*, content: 't/{{each}}'}}"
    head = f"{HEAD}environments: {{dev: {{caches: {{'n-{{each}}': null}}}}, prod: }}\n"
    text = f"{head}moved: [{{from: x, to: n-y}}]\ncaches: {{{template}}}\n"
    root = write(tmp_path, text, {"t/y": "y"})

    assert load_manifest(root, environment="dev").moved == ()
    assert load_manifest(root, environment="prod").moved == (("x", "n-y"),)


@pytest.mark.parametrize(
    ("moves", "message"),
    [
        ("{from: x, to: c}", "3:19: moved[0].to: c is not declared"),
        ("{from: b, to: a}", "3:10: moved[0].from: b is still declared, so it has not moved"),
        (
            "{from: x, to: a}, {from: x, to: b}",
            "3:28: moved[1].from: x is moved twice; also at ctxprov.yaml:3:10",
        ),
        (
            "{from: x, to: y}, {from: y, to: a}",
            ("3:19: moved[0].to: y has moved on, at ctxprov.yaml:3:28: write its name of today"),
        ),
        (
            "{from: x, to: x}",
            "3:19: moved[0].to: x has moved on, at ctxprov.yaml:3:10: write its name of today",
        ),
        ("{from: x}", "3:9: moved[0].to: is missing; it must be the name of a cache"),
        ("{from: X, to: a}", "3:10: moved[0].from: must be the name of a cache, not 'X'"),
    ],
)
def test_wrong_moves(tmp_path: Path, moves: str, message: str) -> None:
    """Each move leads from a name of the past to one of today."""
    found = complaints(write(tmp_path, f"{HEAD}moved: [{moves}]\n{MOVABLE}"))

    assert [one.replace(f"{tmp_path}/", "") for one in found] == [f"ctxprov.yaml:{message}"]
