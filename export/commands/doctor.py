"""The command `doctor`: says what is installed and what is missing."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from export.commands.program.console import Result
from export.commands.program.options import Commands, add_command
from keras_approx.installation import examine
from keras_approx.text import text_table

_EXAMPLES = """\
  keras-approx doctor
  keras-approx doctor --json -
  keras-approx doctor --json installation.json     # for a bug report

Where the command itself does not start, python -m keras_approx.installation says the same.
"""


def add_parser(commands: Commands[argparse.ArgumentParser], help: str) -> None:
    """Adds the command to the program's parser."""
    parser = add_command(
        commands,
        "doctor",
        help=help,
        description="Lists the packages and tools that this program uses, what each is for and how to install what is "
        "missing, and says whether another module named export hides this one. Nothing is changed.",
        examples=_EXAMPLES,
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> Result:
    """Examines the installation."""
    found = examine()
    rows = [(part.name, part.version or "missing", part.purpose) for part in found.parts]
    return Result(
        "\n".join([found.about, text_table(("what", "version", "for"), rows, text=(0, 1, 2)), *found.advice]),
        {"about": found.about, "parts": [asdict(part) for part in found.parts], "advice": found.advice},
    )
