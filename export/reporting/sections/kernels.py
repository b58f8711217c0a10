"""What the kernels of an export are, and why a layer has the one it has."""

from __future__ import annotations

from collections.abc import Sequence

from export.reporting.format.document import Block, Paragraph, Table
from export.reporting.format.text import layer_label
from export.reporting.sources import Exported

_KERNELS = (
    (
        "unpacked",
        "straight code with a constant for each pair of weights that is kept; skipped pairs have no instructions",
        "many products are skipped, or the layer is so small that its code fits",
    ),
    (
        "loop",
        "a loop over all weights as a table; skipped products are multiplied with zero",
        "nearly everything is kept, or straight code would not fit the flash or its cache",
    ),
    (
        "bytes",
        "a loop over weights of one byte, four in a word; skipped products are multiplied with zero",
        "flash is short or slow: its constants take half of a loop's",
    ),
    (
        "winograd",
        "3 x 3 convolutions on transformed tiles, with fewer multiplications, in exact integers",
        "the layer keeps most of its kernels and has channels enough to pay for the transforms",
    ),
    (
        "direct",
        "straight code for what has no dense products: depthwise convolutions, pools, sums, tables, moves",
        "it is the one kind there is for such layers",
    ),
    ("plain", "portable C in loops", "no kernel covers this operator with these shapes"),
)


def kernels_used(exports: Sequence[Exported]) -> list[Block]:
    """A table of the kinds of kernel that these exports have, and the layers that have them."""
    found: dict[str, list[str]] = {}
    for exported in exports:
        for layer in exported.manifest.layers:
            label = layer_label(layer.index, layer.kind)
            layers = found.setdefault(kernel_family(layer.kernel), [])
            if label not in layers:
                layers.append(label)
    rows = [(name, what, why, ", ".join(found[name])) for name, what, why in _KERNELS if name in found]
    return [
        Paragraph(
            "Each layer has the kernel that is predicted to take the fewest cycles on this target, of those that fit "
            "its flash and RAM; all give the same bytes."
        ),
        Table(("kernel", "what it is", "it wins where", "layers"), rows, left=4),
    ]


def kernel_family(kernel: str) -> str:
    """The kind of a kernel without its parameters: winograd4 is winograd."""
    return next((name for name, *_ in _KERNELS if kernel.startswith(name)), kernel)
