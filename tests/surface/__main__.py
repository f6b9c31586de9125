"""`python -m tests.surface`: freeze the surface as it is now."""

from tests.surface import freeze

freeze()
