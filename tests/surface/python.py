"""Names that a program may import from `provisioner`, with their signatures."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import provisioner

_CALLED_BY_SYNTAX = (
    "__init__",
    "__aenter__",
    "__aexit__",
    "__enter__",
    "__exit__",
    "__getitem__",
    "__iter__",
    "__len__",
    "__contains__",
)


def names() -> dict[str, str]:
    """Return each public name, and each public member of a class, with its signature."""
    table: dict[str, str] = {"stub": " ".join(sorted(_stub()))}
    for name in provisioner.__all__:
        table.update(_of(name, getattr(provisioner, name)))
    return table


def _stub() -> list[str]:
    tree = ast.parse(Path(provisioner.__file__).with_suffix(".pyi").read_text(encoding="utf-8"))
    listed = next(node.value for node in tree.body if isinstance(node, ast.Assign))
    exported: list[str] = ast.literal_eval(listed)
    return exported


def _of(name: str, value: object) -> Iterator[tuple[str, str]]:
    if inspect.isclass(value):
        yield name, f"class({', '.join(_bases(value))})"
        yield from _members(name, value)
    elif inspect.isroutine(value):
        yield name, _signature(value)
    else:
        yield name, " | ".join(member.__name__ for member in get_args(value)) or repr(value)


def _bases(type_: type) -> Iterator[str]:
    for base in type_.__mro__[1:-1]:
        is_ours = base.__module__.startswith("provisioner")
        if base.__name__ in provisioner.__all__ if is_ours else not base.__name__.startswith("_"):
            yield base.__name__


def _members(name: str, type_: type) -> Iterator[tuple[str, str]]:
    ours = [base for base in type_.__mro__ if base.__module__.startswith("provisioner")]
    for base in reversed(ours):
        for key, annotation in inspect.get_annotations(base).items():
            if not key.startswith("_"):
                yield f"{name}.{key}", f"field: {_text(annotation)}"
    seen = dict.fromkeys(key for base in ours for key in vars(base))
    for key in seen:
        if key in _CALLED_BY_SYNTAX or not key.startswith("_"):
            yield from _member(f"{name}.{key}", inspect.getattr_static(type_, key))
    if "__init__" not in seen and not issubclass(type_, BaseException):
        yield f"{name}.__init__", _signature(type_)


def _member(path: str, member: Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401  # any attribute
    match member:
        case property():
            returned = inspect.signature(member.fget).return_annotation if member.fget else ""
            yield path, f"property: {_text(returned)}"
        case classmethod() | staticmethod():
            yield path, f"{type(member).__name__} {_signature(member.__func__)}"
        case _ if inspect.isroutine(member) and not inspect.ismemberdescriptor(member):
            yield path, _signature(member)
        case _:
            pass


def _signature(call: Any) -> str:  # noqa: ANN401  # any callable
    is_async = inspect.iscoroutinefunction(call) or inspect.isasyncgenfunction(call)
    signature = inspect.signature(call)
    plain = signature.replace(
        parameters=[
            parameter.replace(
                annotation=_plain(parameter.annotation),
                default=_Verbatim("...")
                if inspect.isroutine(parameter.default)
                else parameter.default,
            )
            for parameter in signature.parameters.values()
        ],
        return_annotation=_plain(signature.return_annotation),
    )
    return f"{'async ' * is_async}{plain}"


class _Verbatim:
    """What is shown as it is spelled, without quotes and modules."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


def _plain(annotation: object) -> object:
    return annotation if annotation is inspect.Parameter.empty else _Verbatim(_text(annotation))


def _text(annotation: object) -> str:
    if isinstance(annotation, str):
        return annotation
    return inspect.formatannotation(annotation).replace("provisioner.", "")
