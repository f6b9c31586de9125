"""
How thorough a run of the tests is.

`make check` tries few examples of each property and leaves out what is marked `heavy`; `make
cover` runs everything, under the profile `thorough`.  No property has a deadline: a slow machine
refutes nothing.
"""

from hypothesis import settings

settings.register_profile("quick", max_examples=25, deadline=None)
settings.register_profile("thorough", max_examples=60, deadline=None)
settings.load_profile("quick")
