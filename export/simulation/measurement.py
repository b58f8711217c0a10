"""What a simulation measured: data first, the table apart."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from export.artifact.files import write_file
from export.targets import Span
from keras_approx.notebooks import html_table
from keras_approx.text import printable, text_table


@dataclass(frozen=True)
class LayerMeasurement:
    """One layer's share, a mean over the inputs.

    Attributes:
        index: The layer's, or None for what no layer owns: the sequence of layers, library routines.
        kind: What it computes.
        name: The network's own name for it; untrusted, for display only.
        cycles: With memories that never wait.
        board_cycles: With the memories of the board, or None where no document says how they wait.
        instructions: Executed.
        flash_bytes: Its code and constants.
        predicted_cycles: What the cost model said at export, or None.
    """

    index: int | None
    kind: str
    name: str
    cycles: int
    board_cycles: Span | None
    instructions: int
    flash_bytes: int
    predicted_cycles: int | None


@dataclass(frozen=True)
class Measurement:
    """A network's run on an emulated core.

    Cycles are means over the inputs, by the core's timing table (`export.targets.timing`, with what it
    leaves out).

    Attributes:
        core: Name of the core.
        board: Name of the board, or None.
        clock_hz: The board's clock, or None.
        inputs: How many were run.
        outputs: int8 [n, *output shape]; a tuple of such arrays for several outputs.
        cycles: Of one inference, with memories that never wait.
        worst_cycles: The most any of the inputs took.
        board_cycles: Cycles with the memories of the board (`export.targets.memories`), from the least to the most
            that the documents allow; None without a board or where none tells how its memories wait. The layers'
            are each the least and the most by themselves.
        instructions: Of one inference.
        per_layer: In order of execution; what no layer owns comes last.
        per_function: Cycles by symbol, the largest first.
        flash_bytes: Code, constants and initial data, without start-up code.
        ram_bytes: Arena and data, without the stack.
        stack_bytes: The deepest the stack was.
    """

    core: str
    board: str | None
    clock_hz: int | None
    inputs: int
    outputs: Any = field(repr=False)
    cycles: int
    worst_cycles: int
    board_cycles: Span | None
    instructions: int
    per_layer: tuple[LayerMeasurement, ...]
    per_function: dict[str, int]
    flash_bytes: int
    ram_bytes: int
    stack_bytes: int

    @property
    def milliseconds(self) -> Span | None:
        """One inference at the board's clock, from the least to the most; None where `board_cycles` is."""
        if self.clock_hz is None or self.board_cycles is None:
            return None
        return Span(*(1e3 * cycles / self.clock_hz for cycles in self.board_cycles))

    def to_dict(self) -> dict[str, Any]:
        """Returns everything but the outputs, ready for JSON."""
        content = asdict(self)
        del content["outputs"]
        return {**content, "milliseconds": self.milliseconds}

    def save(self, path: str | Path) -> None:
        """Writes `to_dict()` as JSON, whole or not at all.

        Raises:
            OutputPathError: The file cannot be written.
        """
        write_file(Path(path), (json.dumps(self.to_dict(), indent=2) + "\n").encode(), "another file")

    def __repr__(self) -> str:
        return f"<Measurement on {self._totals()}>"

    def _repr_html_(self) -> str:
        waits = self.board_cycles is not None
        head = [
            "layer",
            "kind",
            "name",
            "cycles",
            *(["with waits"] if waits else []),
            "instructions",
            "flash",
        ]
        rows = [
            [
                "" if layer.index is None else str(layer.index),
                *(layer.kind, layer.name, f"{layer.cycles:,}"),
                *([str(layer.board_cycles)] if waits else []),
                *(f"{layer.instructions:,}", f"{layer.flash_bytes:,} B"),
            ]
            for layer in self.per_layer
        ]
        return html_table(head, rows, left=3, note=self._totals())

    def _totals(self) -> str:
        time = ""
        if self.milliseconds is not None and self.clock_hz is not None:
            time = f", {self.milliseconds:.2f} ms at {self.clock_hz / 1e6:g} MHz"
        return (
            f"{self.board or self.core}: {self.cycles:,} cycles an inference (worst of {self.inputs}: "
            f"{self.worst_cycles:,}){time}; flash {self.flash_bytes:,} B, RAM {self.ram_bytes:,} B, "
            f"stack {self.stack_bytes:,} B"
        )

    def __str__(self) -> str:
        waits = self.board_cycles is not None
        head = (
            "layer",
            "kind",
            "cycles",
            *(("with waits",) if waits else ()),
            "instructions",
            "flash B",
            "name",
        )
        rows = []
        for layer in self.per_layer:
            rows.append(
                (
                    "" if layer.index is None else f"{layer.index:02d}",
                    layer.kind,
                    f"{layer.cycles:,}",
                    *((str(layer.board_cycles),) if waits else ()),
                    f"{layer.instructions:,}",
                    f"{layer.flash_bytes:,}",
                    printable(layer.name, 40),
                )
            )
        totals = (
            f"{self.cycles:,}",
            *((str(self.board_cycles),) if waits else ()),
            f"{self.instructions:,}",
            f"{self.flash_bytes:,}",
        )
        rows.append(("", "total", *totals, ""))
        return f"{text_table(head, rows, text=(0, 1, -1))}\n{self._totals()}"
