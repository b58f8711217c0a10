"""`python -m export` is the program `keras-approx`."""

import sys

from export.commands import main

if __name__ == "__main__":
    sys.exit(main())
