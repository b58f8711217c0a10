"""The command `report`: writes a page with pictures on a front, on exports, or on both."""

from __future__ import annotations

import argparse
from pathlib import Path

from export.commands.program.console import Result, Steps
from export.commands.program.options import Commands, add_command
from export.errors import InputError

_EXAMPLES = """\
  keras-approx report --export out/ --out report/                       # an export alone
  keras-approx report front.json --out report/
  keras-approx report front.json --export exact=out/exact --export chosen=out/tuned --out report/
  keras-approx report front.json --export out/ --measurement out=simulated.json \\
      --baseline CMSIS-NN=10691472 --out report/

An exported folder adds cycles and flash by layer, memory over time and the core's limit; what keras-approx simulate
--json saved adds measured cycles to it.
"""


def add_parser(commands: Commands[argparse.ArgumentParser], help: str) -> None:
    """Adds the command to the program's parser."""
    parser = add_command(
        commands,
        "report",
        help=help,
        description="Writes report.html, one file with everything in it, and the same as report.md with PNGs.",
        examples=_EXAMPLES,
    )
    parser.add_argument(
        "front",
        nargs="?",
        help="what keras-approx explore or keras_approx.save_front wrote; leave it out for a report on exports alone",
    )
    parser.add_argument("--out", metavar="DIR", type=Path, required=True, help="folder to write into")
    parser.add_argument("--title", help="of the page (default: Exploration, or Export without a front)")
    parser.add_argument(
        "--export",
        metavar="[NAME=]DIR",
        action="append",
        default=[],
        help="folder that export wrote, with the name to show; can be given again, the exact model first",
    )
    parser.add_argument(
        "--measurement",
        metavar="NAME=FILE",
        action="append",
        default=[],
        type=_named,
        help="what simulate --json saved for the export of that name",
    )
    parser.add_argument(
        "--baseline",
        metavar="NAME=CYCLES",
        action="append",
        default=[],
        type=_baseline,
        help="cycles of the exact model by other means, drawn beside the front",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> Result:
    """Writes the report."""
    say = Steps()
    exports = [_export(text) for text in options.export]
    for what, names in (
        ("--export", [name for name, _ in exports]),
        ("--measurement", [n for n, _ in options.measurement]),
    ):
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise InputError(f"two {what} have the name {twice[0]!r}: give each another, NAME=...")
    from export.reporting import Baseline, report  # noqa: PLC0415 (slow to import)

    if options.front is None and not exports:
        raise InputError("a report is on a front or on exports: name the front's file, or give --export DIR")
    say(f"drawing {options.front or ', '.join(folder for _, folder in exports)}")
    page = report(
        options.front,
        options.out,
        exports=dict(exports),
        measurements=dict(options.measurement),
        baselines=[Baseline(name, cycles) for name, cycles in options.baseline],
        title=options.title,
    )
    text = page.with_suffix(".md")
    return Result(f"{page}, and the same as {text}", {"html": str(page), "markdown": str(text)})


def _export(text: str) -> tuple[str, str]:
    """The name and the folder; a folder alone is called by its name."""
    name, equals, folder = text.partition("=")
    return (name, folder) if equals else (Path(text).resolve().name, text)


def _named(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise argparse.ArgumentTypeError(f"expected NAME=VALUE, got {text!r}")
    return name, value


def _baseline(text: str) -> tuple[str, float]:
    name, value = _named(text)
    try:
        cycles = float(value)
    except ValueError:
        cycles = 0.0
    if not 0 < cycles < float("inf"):
        raise argparse.ArgumentTypeError(f"expected NAME=CYCLES with a number above 0, got {text!r}")
    return name, cycles
