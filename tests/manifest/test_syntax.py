"""What libyaml says becomes words that help."""

from __future__ import annotations

import pytest
from yaml.error import MarkedYAMLError

from provisioner.errors import ManifestError
from provisioner.manifest.reader import read_document
from provisioner.manifest.syntax import plain_words


def test_unknown() -> None:
    """Words that we do not know are passed on, without a place if there is none."""
    assert plain_words(b"", MarkedYAMLError(problem="odd")) == (0, 0, "is not YAML: odd")
    assert plain_words(b"", MarkedYAMLError()) == (0, 0, "is not YAML: it cannot be read")


@pytest.mark.parametrize("text", [b"a:\n\tb: 1\n", b"a:\r\n \tb: 1\r\n"])
def test_tabs(text: bytes) -> None:
    """A tab in the indentation is what is wrong, whatever libyaml made of it."""
    with pytest.raises(ManifestError, match="a tab indents this line"):
        read_document("f", text)
