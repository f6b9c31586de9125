"""
`python -m provisioner`, and the command `ctxprov`.

Imports nothing from the working directory: that is a checkout, whose files are data.
"""

import gc
import os
import sys


def _distrust_working_directory() -> None:
    """
    Take the working directory off the path, however it got there.

    `-m` puts it first, and an empty entry of PYTHONPATH stands for it: a `yaml.py` beside the
    manifest would run in place of the library.
    """
    try:
        here = os.path.realpath(os.curdir)
    except OSError:  # the folder is gone, and so is all that it held
        return
    sys.path[:] = [entry for entry in sys.path if os.path.realpath(entry or here) != here]


_distrust_working_directory()

# A command makes many values at once and few cycles: looking for them again and again, also while
# modules are imported, would cost a large stack a third of its time.
gc.set_threshold(100_000, 50, 100)

from provisioner.cli import run  # noqa: E402  # not before the path is safe
from provisioner.cli.console import hold_descriptors  # noqa: E402  # nor this


def main() -> None:
    hold_descriptors()
    status = run(sys.argv[1:])
    gc.freeze()  # or Python would look through all that is left once more, only to exit
    sys.exit(status)


if __name__ == "__main__":
    main()
