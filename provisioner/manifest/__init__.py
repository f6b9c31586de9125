"""
The manifest: which files make a stack, and what they say together of the stack as a whole.

`ctxprov.yaml` and every `*.ctxprov.yaml` beside it, always all of them: one that was left out
would read as an order to remove its caches.  Limits and moves of caches are read here.

This package reports everything that is wrong with a manifest, at once and each with its place;
the resolver adds what is wrong with files, models and lives.  Past this
package nothing is YAML, a dict or optional because a key was left out.

`reader` knows YAML, `schema_check` the JSON Schema, `overlays` what wins over what, `providers`
which there are, `entries` what the keys of a cache mean.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import reduce
from operator import getitem
from pathlib import Path
from types import MappingProxyType
from typing import Any

from msgspec import Struct

from provisioner.checkout import Checkout
from provisioner.errors import ManifestError, Problem
from provisioner.manifest import overlays
from provisioner.manifest.confined_folder import Folder, Unreadable
from provisioner.manifest.entries import Entries, declared, elsewhere, names_of
from provisioner.manifest.providers import key_envs, unknown_sections
from provisioner.manifest.schema_check import Shape, shape_of
from provisioner.manifest.source_map import Place, YamlDocument
from provisioner.manifest.types import CacheEntry, Frame, Manifest
from provisioner.model.stack_settings import HALF, Allowance, Bound, Limits

NAME = "ctxprov.yaml"
_NO_MANIFEST = (
    "does not exist: run ctxprov init, or name the stack's folder, as the argument or with -C"
)
_SILENT = "declares nothing: add 'caches:', or 'caches: {}' if none should exist"
_FRAGMENT = f".{NAME}"
_MAX_SIZE = 64 * 1024 * 1024
"""Bytes of one file: about a quarter of a million caches."""


class ManifestDraft(Struct, frozen=True):
    """
    What could be read, and what is wrong.

    With problems, the manifest lacks what they are about, and is good for nothing but
    finding more of them, and for its frame if that stands; it is None if not even that could
    be read.
    """

    manifest: Manifest | None
    problems: tuple[Problem, ...]
    is_framed: bool = False
    """Whether the frame stands: every problem is with caches, or with what they were called."""


def load_manifest(place: Path, *, environment: str | None = None) -> Manifest:
    """
    Read the stack of a folder, of its `ctxprov.yaml` or of a fragment beside that.

    A manifest with environments is read as one of them.

    Raises ManifestError with every problem; files are spelled as *place* is.
    """
    draft = read_manifest(place, environment=environment)
    if draft.problems or draft.manifest is None:
        raise ManifestError(draft.problems)
    return draft.manifest


def load_frame(place: Path, *, environment: str | None = None) -> Frame:
    """
    Read the stack at *place* but for its caches: enough for a command that goes by the state.

    What is wrong with caches is no matter, such as an `each` whose files are gone.

    Raises ManifestError with every problem if anything else is wrong.
    """
    draft = read_manifest(place, environment=environment)
    if not draft.is_framed or draft.manifest is None:
        raise ManifestError(draft.problems)
    return draft.manifest


def stack_in(raw: bytes) -> str | None:
    """The stack that a `ctxprov.yaml` names, environments aside; None if it cannot be read."""
    try:
        name = _document(NAME, raw).root.get("stack")
    except ManifestError:
        return None
    return name if isinstance(name, str) else None


def stack_at(place: Path) -> str | None:
    """The stack that the `ctxprov.yaml` in the folder *place* names; None likewise."""
    try:
        return stack_in(_bytes(Folder(place), NAME))
    except Unreadable:
        return None


def environments_of(place: Path) -> tuple[str, ...]:
    """The environments that the stack at *place* declares; none if too many, or not readable."""
    try:
        root = _folder(place)
        raw = _bytes(Folder(root), NAME)
        if b"environments" not in raw and b"\\" not in raw:
            return ()  # nothing can spell the key: a large file need not be read for it
        names = overlays.names_in(_document(str(root / NAME), raw))
        return names if len(names) <= overlays.MOST else ()
    except (ManifestError, Unreadable):
        return ()


def read_manifest(
    place: Path, *, environment: str | None = None, checkout: Checkout | None = None
) -> ManifestDraft:
    """
    Read what can be read of the stack at *place*, for callers with more to check.

    What *checkout* leaves out and the stack may need is a problem; without one all is there.
    Raises GitFailed if the checkout is not whole and git cannot tell.
    """
    problems: list[Problem] = []
    inside: list[Problem] = []
    manifest = None
    try:
        root = _folder(place)
        folder = Folder(root, checkout)
        problems += _left_out(root, checkout) if checkout else ()
        shapes = list(_shapes(root, folder, problems))
        main = shapes[0] if shapes and shapes[0].kind == "manifest" else None
        if main and not any("caches" in shape.document.root for shape in shapes):
            problems.append(main.document.problem((), _SILENT))
        inside += _twice(shapes)
        for shape in shapes:
            (inside if shape.framed else problems).extend(shape.problems)
        if main and main.framed:
            manifest = _manifest(root, folder, shapes, environment, problems, inside)
    except ManifestError as error:
        problems += error.problems
    return ManifestDraft(manifest, (*problems, *inside), is_framed=not problems)


def _folder(place: Path) -> Path:
    if place.is_dir():
        return place
    if place.name == NAME or place.name.endswith(_FRAGMENT):
        return place.parent
    if place.exists():
        raise _of_file(place, f"is not a manifest: name a folder or its {NAME}")
    raise _of_file(place, "does not exist")


def _files(root: Path, folder: Folder) -> list[str]:
    """The names of the files that make the stack, `ctxprov.yaml` first."""
    try:
        names = list(folder.listed(""))
    except Unreadable as error:
        raise _of_file(root, str(error)) from error
    misnamed = [name for name in names if f".{name}".endswith(_FRAGMENT.replace("yaml", "yml"))]
    if misnamed:
        raise _of_file(root / misnamed[0], f"would not be read: its name must end in {NAME}")
    if NAME not in names:
        raise _of_file(root / NAME, _NO_MANIFEST)
    return [NAME, *(name for name in names if name.endswith(_FRAGMENT))]


def _left_out(root: Path, checkout: Checkout) -> list[Problem]:
    """Files of the manifest that a sparse checkout leaves out: their caches would look removed."""
    absent = [one for one in checkout.left_out() if f".{one.path}".endswith(_FRAGMENT)]
    problems = [_problem(root / one.path, one.reason) for one in absent if "/" not in one.path]
    if any(one.path == NAME for one in absent):
        raise ManifestError(problems)
    return problems


def _shapes(root: Path, folder: Folder, problems: list[Problem]) -> Iterator[Shape]:
    """Check the shape of the files that are YAML; what is wrong with others goes to *problems*."""
    for name in _files(root, folder):
        path = root / name
        try:
            document = _document(str(path), _bytes(folder, name))
        except Unreadable as error:
            problems.append(_problem(path, str(error)))
        except ManifestError as error:
            problems.extend(error.problems)
        else:
            yield shape_of(document, "manifest" if name == NAME else "fragment")


def _document(file: str, raw: bytes) -> YamlDocument:
    from provisioner.manifest.reader import read_document  # noqa: PLC0415  # help reads no YAML

    return read_document(file, raw)


def _bytes(folder: Folder, name: str) -> bytes:
    with folder.open(name) as file:
        if file.size > _MAX_SIZE:
            raise Unreadable(f"is {file.size:,} bytes long; a manifest has at most {_MAX_SIZE:,}")
        return file.whole(most=_MAX_SIZE)


def _twice(shapes: Iterable[Shape]) -> Iterator[Problem]:
    """Names that two files declare."""
    first: dict[str, YamlDocument] = {}
    for document in (shape.document for shape in shapes):
        for name in names_of(document):
            other = first.setdefault(name, document)
            if other is not document:
                path = ("caches", name)
                yield document.problem(path, f"is declared twice; also at {other.address(path)}")


def _manifest(
    root: Path,
    folder: Folder,
    shapes: Sequence[Shape],
    environment: str | None,
    problems: list[Problem],
    inside: list[Problem],
) -> Manifest:
    """
    Put together what could be read; the problems *inside* are those with caches.

    Raises ManifestError unless exactly one environment is meant.
    """
    main = shapes[0].document
    overlay = overlays.overlay_of(main, environment)
    problems += overlays.shared_files(main)
    above = [*([overlay.place] if overlay else []), Place(main, ())]
    providers = key_envs(overlays.layers_at(above, "providers"), problems)
    problems += unknown_sections(overlays.layers_at(above, "defaults"), providers)
    entries = Entries(folder, above, providers, inside)
    for name, layers in declared(shapes, overlay, inside):
        entries.make(name, layers)
    moved = moves_of(main, entries.made, elsewhere(shapes, folder), inside)
    caches = [entry for entry in entries.made.values() if isinstance(entry, CacheEntry)]
    root_keys: dict[str, Any] = main.root
    changed = overlay.keys if overlay else {}
    return Manifest(
        stack=f"{root_keys['stack']}.{environment}" if environment else root_keys["stack"],
        root=root,
        path=root / NAME,
        state=changed.get("state") or root_keys.get("state"),
        publish=overlays.published(root_keys, environment),
        places=_places(above),
        limits=limits_of(overlays.layers_at(above, "limits")),
        moved=moved,
        providers=providers,
        used=frozenset(
            {entry.provider for entry in caches}
            | ({"gemini"} if inside or not entries.made else set())
        ),
        is_warm=bool(inside) or any(entry.is_warm for entry in caches),
        caches=MappingProxyType(entries.made),
    )


def _places(above: Iterable[Place]) -> Mapping[str, Place]:
    """Where the keys stand that say where things are written; an environment's win."""
    keys = {key: next((at for at in above if at.has(key)), None) for key in ("state", "publish")}
    return MappingProxyType({key: at / key for key, at in keys.items() if at})


def _problem(path: Path, message: str) -> Problem:
    return Problem(str(path), 1, 1, "", message)


def _of_file(path: Path, message: str) -> ManifestError:
    return ManifestError([_problem(path, message)])


def limits_of(layers: overlays.Layers) -> Limits:
    """The limits that *layers* set; half where none limits deleting or replacing."""
    keys = overlays.merged(layers) if layers else {}

    def bound(*path: str) -> Bound | None:
        *above, key = path
        bounds: overlays.Keys = reduce(getitem, above, keys)
        if key not in bounds:
            return None
        return Bound(Decimal(bounds[key]), overlays.place_in(layers, path).address)

    def allowance(key: str) -> Allowance:
        if key not in keys:
            return HALF
        return Allowance(count=bound(key, "count"), percent=bound(key, "percent"))

    return Limits(
        delete=allowance("delete"),
        replace=allowance("replace"),
        rent_per_hour=bound("rent_per_hour"),
        rent_total_per_30_days=bound("rent_total_per_30_days"),
    )


def moves_of(
    main: YamlDocument, here: Collection[str], elsewhere: Iterable[str], problems: list[Problem]
) -> tuple[tuple[str, str], ...]:
    """
    The moves to caches that are declared *here*, old name and new; what is wrong is a problem.

    Each old name has one new name, which is the one it has today: a second rename writes the last
    name to all old ones.  A move to a cache that is declared *elsewhere*, in another environment,
    is none here.
    """
    moves: Any = main.root.get("moved", [])
    names = {*here, *elsewhere} if moves else here
    problems += _wrong(moves, Place(main, ("moved",)), here, names)
    return tuple((move["from"], move["to"]) for move in moves if move["to"] in here)


def _wrong(
    moves: Sequence[Mapping[str, str]],
    place: Place,
    here: Container[str],
    names: Container[str],
) -> Iterator[Problem]:
    first: dict[str, Place] = {}
    for at, move in enumerate(moves):
        name, old = move["from"], place / at / "from"
        if first.setdefault(name, old) is not old:
            yield old.problem(f"{name} is moved twice; also at {first[name].address}")
        if name in here:
            yield old.problem(f"{name} is still declared, so it has not moved")
    for at, move in enumerate(moves):
        name, new = move["to"], place / at / "to"
        if name in first:
            address = first[name].address
            yield new.problem(f"{name} has moved on, at {address}: write its name of today")
        elif name not in names:
            yield new.problem(f"{name} is not declared")
