"""The page of all options, from the parsers of the commands: `python -m export.commands.program.documentation`."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from export.commands.program.main import parser

_HEAD = """# All options

What each command takes, as `keras-approx COMMAND --help` says it. [The command line](commands.md) says how commands
work together. Written by `python -m export.commands.program.documentation`.
"""


def page() -> str:
    """The content of docs/options.md."""
    program = parser()
    found = next(action for action in program._actions if isinstance(action, argparse._SubParsersAction))
    return "\n".join([_HEAD, *(_section(name, command) for name, command in found.choices.items())])


def _section(name: str, command: argparse.ArgumentParser) -> str:
    """A command: what it does, its options by groups, its examples."""
    groups = [group for group in command._action_groups if any(_rows(group))]
    tables = [_table(group) for group in groups]
    examples, notes = _epilog(command)
    parts = [f"## {name}", " ".join((command.description or "").split()), *tables]
    return "\n\n".join([*parts, f"```sh\n{examples}\n```", *([notes] if notes else []), ""])


def _table(group: argparse._ArgumentGroup) -> str:
    title = (group.title or "options").capitalize()
    lines = [f"| {title} | |", "|---|---|", *_rows(group)]
    return "\n".join([*([f"{title}: {_cell(group.description)}.\n"] if group.description else []), *lines])


def _rows(group: argparse._ArgumentGroup) -> Iterator[str]:
    for action in group._group_actions:
        if action.dest != "help":
            yield f"| `{_named(action)}` | {_cell(_help(action))} |"


def _named(action: argparse.Action) -> str:
    """An option and its value as in the command's usage."""
    name = action.option_strings[-1] if action.option_strings else action.dest
    if action.nargs == 0 or not action.option_strings:
        return name
    if isinstance(action.metavar, tuple):
        return " ".join([name, *action.metavar])
    values = "{" + ",".join(map(str, action.choices)) + "}" if action.choices else action.dest.upper()
    return f"{name} {action.metavar or values}"


def _help(action: argparse.Action) -> str:
    needed = "needed: " if action.required and action.option_strings else ""
    return needed + (action.help or "").replace("%%", "%")


def _epilog(command: argparse.ArgumentParser) -> tuple[str, str]:
    """The examples, and what is said below them, as a paragraph or a block of text."""
    text = (command.epilog or "").partition("examples:\n")[2]
    examples, _, notes = text.partition("\n\n")
    lines = [line.removeprefix("  ") for line in examples.rstrip().splitlines()]
    while re.match(r" *keras-approx ", notes):  # examples go on below an empty line
        more, _, notes = notes.partition("\n\n")
        lines += ["", *(line.removeprefix("  ") for line in more.rstrip().splitlines())]
    notes = notes.strip("\n")
    return "\n".join(lines), f"```text\n{notes}\n```" if "\n  " in notes else _cell(notes)


def _cell(text: str | None) -> str:
    """Text that Markdown takes for nothing else."""
    return re.sub(r"([|<*_\[\]])", r"\\\1", " ".join((text or "").split()))


if __name__ == "__main__":
    if len(sys.argv) > 2:
        sys.exit("usage: python -m export.commands.program.documentation [docs/options.md]")
    Path(sys.argv[1] if len(sys.argv) == 2 else "docs/options.md").write_text(page(), encoding="utf-8")
