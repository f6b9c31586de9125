"""What counts as a mutant."""

from __future__ import annotations

import ast

import pytest

from tests.mutants.operators import mutants, mutated

HEAD = "from __future__ import annotations\nimport os\n"


def changes(source: str) -> list[str]:
    return [mutant.change for mutant in mutants("m.py", HEAD + source)]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a < b", ["a < b -> pass", "a < b -> a <= b", "a < b -> a > b"]),
        ("x = a is None", ["a is None -> a is not None"]),
        ("x = a and b", ["a and b -> a or b", "a and b -> b", "a and b -> a"]),
        ("x = a + b", ["a + b -> a - b"]),
        ("x = not a", ["not a -> a"]),
        ("x = 1", ["1 -> 2"]),
        ("x = True", ["True -> False"]),
        ("x = 'key'", ["'key' -> 'keyXX'"]),
        ("x = 'a sentence'", []),
        ("x = f(a, b=c)", ["f(a, b=c) -> f(a)"]),
        ("x = {a: b, c: d}", ["{a: b, c: d} -> {c: d}", "{a: b, c: d} -> {a: b}"]),
        ("x = max(a, b)", ["max(a, b) -> min(a, b)"]),
        ("x = [a for a in b if a]", ["for a in b if a -> for a in b"]),
        ("x = a if b else c", ["a if b else c -> a if not b else c"]),
        ("x.y = z", ["x.y = z -> pass"]),
        ("def f(): return g()", ["return g() -> return None"]),
        ("def f(a=1): return None", ["1 -> 2"]),
        ("raise f", ["raise f -> pass"]),
        ("if a: pass", []),
        ("x: Annotated[int, Meta(ge=0)]", ["0 -> 1", "Meta(ge=0) -> Meta()"]),
        ("x: Annotated[int, Meta(description='many')]", []),
        ("class C(Struct, omit_defaults=True): pass", ["True -> False"]),
        ("class C(Struct, frozen=True): pass", []),
        ("x = lru_cache(maxsize=1)(f)", []),
        (
            "match a:\n case B() | C(): f\n case _: pass",
            ["case B() | C() -> no such case", "B() | C() -> C()", "B() | C() -> B()", "f -> pass"],
        ),
        (
            "try: f\nexcept E: g",
            ["f -> pass", "except E -> except E, raise", "g -> pass"],
        ),
        ("try: f\nexcept E: raise", ["f -> pass", "raise -> pass"]),
    ],
)
def test_changes(source: str, expected: list[str]) -> None:
    """A mutant differs from the product by one operator, value, argument, entry or statement."""
    assert changes(source) == expected


def test_every_mutant_is_another_program() -> None:
    """Each mutant compiles, and is not the product itself."""
    source = (
        f"{HEAD}class A:\n    def f(self, b):\n"
        "        while b < 2 and self.c(d=1):\n            b += 1\n"
    )
    found = list(mutants("m.py", source))
    texts = [ast.unparse(mutated(mutant, source)) for mutant in found]

    assert {mutant.function for mutant in found} == {"A.f"}
    assert len(set(texts)) == len(texts) == 10
    assert ast.unparse(ast.parse(source)) not in texts
    for text in texts:
        compile(text, "m.py", "exec")
