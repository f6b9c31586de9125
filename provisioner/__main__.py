"""`python -m provisioner`, and the command `ctxprov`."""

import sys

from provisioner.cli import run


def main() -> None:
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
