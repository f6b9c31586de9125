"""`python -m provisioner`, and the command `ctxprov`."""

import gc
import sys

from provisioner.cli import run


def main() -> None:
    # A command makes many values at once and few cycles: looking for them again and again
    # would cost a large stack a third of its time.
    gc.set_threshold(100_000, 50, 100)
    # httpx is imported without its own command line, which would bring pygments and more.
    sys.modules["httpx._main"] = None  # type: ignore[assignment]  # this is how to say so
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
