"""
What libyaml says of a file that is not YAML, in words that help and at the place that helps.
"""

from __future__ import annotations

from yaml.error import MarkedYAMLError

from provisioner.manifest.source_map import MAX_DEPTH

_HELP = {
    "mapping values are not allowed in this context": (
        "a ':' stands where none is expected: check the indentation above, or put the text "
        "in quotes"
    ),
    "could not find expected ':'": "a key is not followed by ': '",
    "did not find expected key": (
        "the indentation does not fit, or a quote or bracket is missing above"
    ),
    "did not find expected ',' or ']'": "a list in brackets lacks a ',' or its ']'",
    "did not find expected ',' or '}'": "a mapping in braces lacks a ',' or its '}'",
    "did not find expected '-' indicator": "the indentation of this list does not fit",
    "found unexpected end of stream": "a quote is never closed",
    "found character that cannot start any token": (
        "this character cannot begin a value: put the text in quotes"
    ),
    "found unknown escape character": "'\\' begins an escape in \"…\": put the text in '…'",
    "block sequence entries are not allowed in this context": (
        "a list begins on a line of its own"
    ),
    "exceeded maximum nesting depth": f"nests deeper than {MAX_DEPTH} levels",
}
_OPENED = frozenset(
    {
        "did not find expected ',' or ']'",
        "did not find expected ',' or '}'",
        "found unexpected end of stream",
    }
)
"""What is better said of the place where it was opened."""


def plain_words(text: bytes, error: MarkedYAMLError) -> tuple[int, int, str]:
    """Line and column (from 0) of what is wrong with *text*, and what it is."""
    problem = error.problem or "it cannot be read"
    mark = error.context_mark if problem in _OPENED else error.problem_mark
    line, column = (mark.line, mark.column) if mark else (0, 0)
    lines = text.splitlines()
    spot = lines[line] if line < len(lines) else b""
    if b"\t" in spot[: len(spot) - len(spot.lstrip())]:
        return line, column, "a tab indents this line: YAML takes spaces only"
    return line, column, _HELP.get(problem, f"is not YAML: {problem}")
