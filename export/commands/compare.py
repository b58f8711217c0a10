"""The command `compare`: sets the cycles that a board measured beside those predicted."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from export.commands.program.console import Result
from export.commands.program.options import Commands, add_command
from export.targets import Span
from keras_approx.text import plural, text_table

if TYPE_CHECKING:
    from export.firmware.comparison import Comparison

_EXAMPLES = """\
  keras-approx compare out-firmware/ capture.txt
  keras-approx compare out/ capture.txt --json result.json           # the export that the firmware was made of
  keras-approx compare out-firmware/ capture.txt --simulated simulated.json --json -

capture.txt is the serial output of the firmware that keras-approx firmware wrote, from reset until it prints `done`:
picocom -b 115200 /dev/ttyACM0 | tee capture.txt
"""


def add_parser(commands: Commands[argparse.ArgumentParser], help: str) -> None:
    """Adds the command to the program's parser."""
    parser = add_command(
        commands,
        "compare",
        help=help,
        description="Sets the cycles that a board counted beside those that were predicted, layer by layer.",
        examples=_EXAMPLES,
    )
    parser.add_argument("firmware", help="folder of the firmware project, or of the export it was made of")
    parser.add_argument("capture", help="file of serial output")
    parser.add_argument(
        "--simulated",
        metavar="FILE",
        help="compare with what keras-approx simulate --json saved, in place of the export's predictions",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> Result:
    """Compares."""
    from export.firmware.capture import read_capture  # noqa: PLC0415 (slow to import)
    from export.firmware.comparison import compare, read_simulation  # noqa: PLC0415

    simulation = None if options.simulated is None else read_simulation(options.simulated)
    found = compare(options.firmware, read_capture(options.capture), simulation)
    return Result(_text(found), found.to_dict())


def _text(found: Comparison) -> str:
    monitored = any(layer.hits is not None for layer in found.layers)
    head = (
        "layer",
        "kind",
        "predicted",
        "measured",
        "off",
        *(("hits", "misses") if monitored else ()),
        "name",
    )
    rows = [
        (
            f"{layer.index:02d}",
            layer.kind,
            _span(layer.predicted),
            f"{layer.measured:,.0f}",
            _percent(layer.off),
            *((f"{layer.hits or 0:,}", f"{layer.misses or 0:,}") if monitored else ()),
            layer.name[:40],
        )
        for layer in found.layers
    ]
    total = ("", "total", _span(found.predicted), f"{found.measured:,.0f}", _percent(found.off))
    rows.append((*total, *(("", "") if monitored else ()), ""))
    wrong = [verdict for verdict in found.verdicts if verdict != "PASS"]
    return "\n".join(
        [
            text_table(head, rows, text=(0, 1, -1)),
            *(f"warning: {warning}" for warning in found.warnings),
            f"{found.board} at {found.clock_hz / 1e6:g} MHz: {1e3 * found.measured / found.clock_hz:.2f} ms an "
            f"inference, the first {found.cold:,} cycles; stack {found.stack_bytes:,} B; predicted by {found.basis}",
            f"FAIL: {len(wrong)} of {plural(len(found.verdicts), 'sample')}, first: {wrong[0]}"
            if wrong
            else f"PASS: every output byte of {plural(len(found.verdicts), 'sample')}",
        ]
    )


def _span(span: Span | None) -> str:
    return "?" if span is None else str(span)


def _percent(share: float | None) -> str:
    return "?" if share is None else "within" if share == 0 else f"{share:+.1%}"
