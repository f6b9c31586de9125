"""
How thorough a run of the tests is.

`make check` tries few examples of each property and leaves out what is marked `heavy`; `make
cover` runs everything, under the profile `thorough`.  No property has a deadline: a slow machine
refutes nothing.  A run of mutants uses `steady`: the same examples each time, and no search for
the smallest one that fails.
"""

from hypothesis import Phase, settings

settings.register_profile("quick", max_examples=25, deadline=None)
settings.register_profile("thorough", max_examples=60, deadline=None)
settings.register_profile(
    "steady",
    max_examples=60,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
)
settings.load_profile("quick")
