"""The page of supported operators, from the table of operators: `python -m export.operators.documentation`."""

from __future__ import annotations

import sys
from pathlib import Path

from export.operators.operator import Alias, Operator
from export.operators.table import ALIASES, OPERATORS

_HEAD = """# Supported operators

What `export.to_c` takes of TFLite's operators, int8 throughout: every output byte is that of the reference kernels of
TensorFlow 2.21 (`OpResolverType.BUILTIN_REF`). A model that needs something else is refused with a list of all that is
in its way. Written by `python -m export.operators.documentation`.

Activations have batch 1, up to 8 dimensions and one scale and zero point each. Networks have any number of inputs,
outputs and states: with one input and one output `model_run` takes two arrays, else two structs of pointers. uint8
inputs and outputs are passed as int8, 128 less.

Two exceptions: SUM is computed as TensorFlow Lite Micro does, since the reference kernel of 2.21 reads its int8 input
as uint8; ELU has no reference kernel, so it is that of TFLite's other resolver.
"""


def page() -> str:
    """The content of docs/operators.md."""
    entries: list[Operator | Alias] = [*OPERATORS, *ALIASES]
    rows = [(sorted(entry.readers), entry.limits) for entry in entries if entry.readers]
    lines = [f"| {', '.join(names)} | {limits} |" for names, limits in sorted(rows)]
    return "\n".join([_HEAD, "| operators | what is supported |", "|---|---|", *lines, ""])


if __name__ == "__main__":
    if len(sys.argv) > 2:
        sys.exit("usage: python -m export.operators.documentation [docs/operators.md]")
    Path(sys.argv[1] if len(sys.argv) == 2 else "docs/operators.md").write_text(page(), encoding="utf-8")
