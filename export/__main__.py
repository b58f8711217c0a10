"""The exporter's command line: `python -m export <command>`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from export.errors import ExportError
from export.simulate import command as simulate_command

_COMMANDS = (simulate_command,)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command.

    Args:
        arguments: Of the command line; `sys.argv` if None.

    Returns:
        The exit status: 0, or 1 after an error, which is printed.
    """
    parser = argparse.ArgumentParser(prog="python -m export", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    for command in _COMMANDS:
        command.add_parser(commands)
    options = parser.parse_args(arguments)
    try:
        options.run(options)
    except ExportError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
