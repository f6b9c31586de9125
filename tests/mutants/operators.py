"""
Every small change of one module that a test should notice.

Decides what counts as a mutant: a comparison, an operator, a condition, a number, a key, an
argument, an entry, a case or a statement that is another one or absent.  Leaves sentences for
people alone, which golden documents hold, and what only types, imports and decorators say.
Knows nothing of tests.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

_Node = TypeVar("_Node", bound=ast.AST)

_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.Gt),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult,
    ast.Mod: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}
_NAMES = {"min": "max", "max": "min", "any": "all", "all": "any"}
_CLASS_KEYWORDS = {"omit_defaults", "forbid_unknown_fields", "rename", "tag", "tag_field"}
_BOUNDS = {"pattern", "ge", "gt", "le", "lt", "min_length", "max_length"}
_TRUTHS = (ast.Name, ast.Attribute, ast.Call, ast.NamedExpr)
_CONDITIONS = (ast.Compare, ast.BoolOp, ast.UnaryOp, ast.Constant)
_DELETED = (ast.Expr, ast.AugAssign, ast.Raise, ast.Continue, ast.Break)
_BLOCKS = {"body", "orelse", "finalbody", "handlers", "cases"}
_TYPES = {"annotation", "returns", "decorator_list", "type_params", "format_spec", "type_comment"}


@dataclass(frozen=True)
class Mutant:
    """One module with one change."""

    module: str
    """The path of its file."""
    number: int
    """Of the change, in the order of `mutants`."""
    function: str
    """The outermost function around the change, by its qualified name; empty outside of any."""
    first: int
    last: int
    """The lines that the changed statement begins with."""
    statement: str
    change: str


@dataclass(frozen=True)
class _Place:
    function: str
    first: int
    last: int
    statement: str


@dataclass(frozen=True)
class _Site:
    place: _Place
    parent: ast.AST
    field: str
    index: int | None
    old: ast.AST
    new: ast.AST


def mutants(module: str, source: str) -> Iterator[Mutant]:
    """Each mutant of the module in the file *module*, whose text is *source*."""
    for number, site in enumerate(_sites(ast.parse(source))):
        place = site.place
        yield Mutant(
            module=module,
            number=number,
            function=place.function,
            first=place.first,
            last=place.last,
            statement=place.statement,
            change=f"{_text(site.old)} -> {_text(site.new)}",
        )


def mutated(mutant: Mutant, source: str) -> ast.Module:
    """The module with the change of *mutant*."""
    tree = ast.parse(source)
    for number, site in enumerate(_sites(tree)):
        if number == mutant.number:
            if site.index is None:
                setattr(site.parent, site.field, site.new)
            else:
                getattr(site.parent, site.field)[site.index] = site.new
            return ast.fix_missing_locations(tree)
    raise LookupError(mutant)


def _text(node: ast.AST) -> str:
    match node:
        case ast.match_case(guard=ast.Constant(value=False)):
            return "no such case"
        case ast.ExceptHandler(body=[ast.Raise(exc=None)]):
            return f"{ast.unparse(node).strip().partition(':')[0]}, raise"
        case ast.match_case() | ast.ExceptHandler():
            return ast.unparse(node).strip().partition(":\n")[0]
        case ast.comprehension():
            return ast.unparse(node).strip()
        case _:
            return ast.unparse(node).partition("\n")[0]


def _sites(tree: ast.Module) -> Iterator[_Site]:
    return _in_block(tree, "body", prefix="", function="")


def _in_block(parent: ast.AST, field: str, prefix: str, function: str) -> Iterator[_Site]:
    """The sites below a list of statements; *function* is empty where an import runs them."""
    for index, node in enumerate(getattr(parent, field)):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield from _in_expressions(node.args, _place(node, function))
                yield from _in_block(node, "body", prefix, function or prefix + name)
            case ast.ClassDef(name=name):
                place = _place(node, function)
                for keyword in node.keywords:
                    if keyword.arg in _CLASS_KEYWORDS:
                        yield from _in_expressions(keyword, place)
                yield from _in_block(node, "body", f"{prefix}{name}.", function)
            case _ if _is_silent(node):
                pass
            case ast.AnnAssign(annotation=ast.Name(id="TypeAlias"), value=ast.expr() as value):
                yield from _in_bounds(value, _place(node, function))
            case _:
                place = _place(node, function)
                for new in _other_statements(node):
                    yield _Site(place, parent, field, index, node, new)
                yield from _in_expressions(node, place)
                for block in sorted(_BLOCKS.intersection(node._fields), key=node._fields.index):
                    yield from _below(node, block, prefix, function)


def _below(node: ast.stmt, block: str, prefix: str, function: str) -> Iterator[_Site]:
    for index, child in enumerate(getattr(node, block)):
        match child:
            case ast.match_case(pattern=pattern, body=body):
                text = _text(child)
                reached = _Place(function, body[0].lineno, body[0].lineno, text)
                never = _with(child, guard=ast.Constant(value=False))
                if not _is_nothing(child):
                    yield _Site(reached, node, block, index, child, never)
                last = max(pattern.lineno, body[0].lineno - 1)
                place = _Place(function, pattern.lineno, last, text)
                yield from _in_expressions(child, place)
                yield from _in_block(child, "body", prefix, function)
            case ast.ExceptHandler(body=body):
                place = _Place(function, body[0].lineno, body[0].lineno, _text(child))
                if ast.unparse(body[0]) != "raise":
                    raising = _with(child, body=[ast.Raise()])
                    yield _Site(place, node, block, index, child, raising)
                yield from _in_block(child, "body", prefix, function)
            case _:
                yield from _in_block(node, block, prefix, function)
                return


def _is_nothing(case: ast.match_case) -> bool:
    """Whether the case does what a match without it does."""
    match case:
        case ast.match_case(
            pattern=ast.MatchAs(pattern=None),
            body=[
                ast.Pass()
                | ast.Return(value=None | ast.Constant(value=None | False))
                | ast.Expr(value=ast.Call(func=ast.Name(id="assert_never")))
            ],
        ):
            return True
        case _:
            return False


def _place(node: ast.stmt, function: str) -> _Place:
    body = getattr(node, "body", None) or getattr(node, "cases", None)
    first = getattr(body[0], "pattern", body[0]) if body else None
    last = max(node.lineno, first.lineno - 1) if first else node.end_lineno or node.lineno
    return _Place(function, node.lineno, last, _text(node))


def _is_silent(node: ast.stmt) -> bool:
    match node:
        case ast.Import() | ast.ImportFrom() | ast.Pass():
            return True
        case ast.Expr(value=ast.Constant() | ast.Call(func=ast.Name(id="assert_never"))):
            return True
        case ast.Raise(exc=ast.Call(func=ast.Name(id="AssertionError"))):
            return True
        case ast.Assign(targets=[ast.Name(id="__all__")]):
            return True
        case ast.Assign(value=ast.Call(func=ast.Name(id="TypeVar"))):
            return True
        case _:
            return False


def _other_statements(node: ast.stmt) -> Iterator[ast.stmt]:
    match node:
        case ast.Return(value=ast.expr() as value) if not isinstance(value, _CONDITIONS):
            yield ast.copy_location(ast.Return(value=ast.Constant(value=None)), node)
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
            yield ast.copy_location(ast.Pass(), node)
        case _ if isinstance(node, _DELETED):
            yield ast.copy_location(ast.Pass(), node)
        case _:
            pass


def _in_expressions(node: ast.AST, place: _Place) -> Iterator[_Site]:
    for field, value in ast.iter_fields(node):
        if field == "annotation" and isinstance(value, ast.AST) and not place.function:
            yield from _in_bounds(value, place)
        if field in _TYPES or (field in _BLOCKS and isinstance(value, list)):
            continue
        children = value if isinstance(value, list) else [value]
        for index, child in enumerate(children):
            if not isinstance(child, ast.AST) or _is_text(node, child) or _is_size(child):
                continue
            for new in _others(child):
                where = index if isinstance(value, list) else None
                yield _Site(place, node, field, where, child, new)
            yield from _in_expressions(child, place)


def _in_bounds(annotation: ast.AST, place: _Place) -> Iterator[_Site]:
    """The bounds that a field's type carries, which its reader holds to."""
    for node in ast.walk(annotation):
        match node:
            case ast.Call(func=ast.Name(id="Meta"), keywords=keywords):
                for index, keyword in enumerate(keywords):
                    if keyword.arg in _BOUNDS:
                        yield from _in_expressions(keyword, place)
                        rest = _with(node, keywords=_without(keywords, index))
                        yield from _where(annotation, node, rest, place)
            case _:
                pass


def _where(root: ast.AST, old: ast.AST, new: ast.AST, place: _Place) -> Iterator[_Site]:
    """The site at which *old* stands below *root*."""
    for parent in ast.walk(root):
        for field, value in ast.iter_fields(parent):
            for index, child in enumerate(value if isinstance(value, list) else [value]):
                if child is old:
                    at = index if isinstance(value, list) else None
                    yield _Site(place, parent, field, at, old, new)


def _is_text(parent: ast.AST, child: ast.AST) -> bool:
    return isinstance(parent, ast.JoinedStr) and isinstance(child, ast.Constant)


def _is_size(child: ast.AST) -> bool:
    """How much is remembered only to be fast."""
    return isinstance(child, ast.keyword) and child.arg == "maxsize"


def _others(node: ast.AST) -> Iterator[ast.AST]:
    """What may stand in place of one expression, pattern, argument list or condition."""
    yield from _other_values(node)
    yield from _shorter(node)
    match node:
        case ast.IfExp(test=test) if isinstance(test, _TRUTHS):
            yield _with(node, test=_negated(test))
        case ast.Call(func=ast.Name(id=name)) if name in _NAMES:
            yield _with(node, func=ast.Name(id=_NAMES[name], ctx=ast.Load()))
        case ast.comprehension(ifs=ifs):
            for index in range(len(ifs)):
                yield _with(node, ifs=_without(ifs, index))
        case _:
            pass


def _other_values(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.Compare(ops=ops):
            for index, operator in enumerate(ops):
                for other in _COMPARISONS[type(operator)]:
                    yield _with(node, ops=[*ops[:index], other(), *ops[index + 1 :]])
        case ast.BinOp(op=operation) if type(operation) in _OPERATORS:
            yield _with(node, op=_OPERATORS[type(operation)]())
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
            yield operand
        case ast.Constant(value=bool(value)):
            yield _with(node, value=not value)
        case ast.Constant(value=int(number) | float(number)):
            yield _with(node, value=number + 1)
        case ast.Constant(value=str(text)) if " " not in text:
            yield _with(node, value=f"{text}XX")
        case _:
            pass


def _shorter(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.BoolOp(op=operation, values=values):
            other = ast.Or() if isinstance(operation, ast.And) else ast.And()
            yield _with(node, op=other)
            for index in range(len(values)):
                rest = _without(values, index)
                yield rest[0] if len(rest) == 1 else _with(node, values=rest)
        case ast.Call(keywords=keywords):
            for index, keyword in enumerate(keywords):
                if keyword.arg and not _is_size(keyword):
                    yield _with(node, keywords=_without(keywords, index))
        case ast.Dict(keys=keys, values=values):
            for index, key in enumerate(keys):
                if key:
                    yield _with(node, keys=_without(keys, index), values=_without(values, index))
        case ast.MatchOr(patterns=patterns):
            for index in range(len(patterns)):
                rest_of = _without(patterns, index)
                yield rest_of[0] if len(rest_of) == 1 else _with(node, patterns=rest_of)
        case ast.MatchClass(kwd_attrs=names, kwd_patterns=patterns):
            for index, pattern in enumerate(patterns):
                if not isinstance(pattern, ast.MatchAs):
                    yield _with(
                        node,
                        kwd_attrs=_without(names, index),
                        kwd_patterns=_without(patterns, index),
                    )
        case _:
            pass


def _negated(test: ast.expr) -> ast.expr:
    return ast.copy_location(ast.UnaryOp(op=ast.Not(), operand=test), test)


_Item = TypeVar("_Item")


def _without(values: list[_Item], index: int) -> list[_Item]:
    return [*values[:index], *values[index + 1 :]]


def _with(node: _Node, **fields: object) -> _Node:
    other = copy.copy(node)
    for name, value in fields.items():
        setattr(other, name, value)
    return other
