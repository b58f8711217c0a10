"""The page of supported Keras layers, from the table of layers: `python -m keras_approx.layers.documentation`."""

from __future__ import annotations

import sys
from pathlib import Path

from keras_approx.layers.registry import ACTIVATIONS, SPECS, LayerSpec

_HEAD = """# Supported layers

What `keras_approx.wrap` takes: Sequential and functional models of tf_keras and Keras 3, nested ones too, float32, with
one input and one output. Anything else is refused, with the layer and the setting that is in the way. Written by
`python -m keras_approx.layers.documentation`.

`.tflite` files need no Keras layers, and may hold far more: see [Operators](operators.md).

"""


def page() -> str:
    """The content of docs/layers.md."""
    rows = [
        f"| {name} | {_treatment(spec)} | {_limits(spec)} |"
        for name, spec in sorted(SPECS.items())
        if name != "InputLayer"
    ]
    activations = f"\nActivations, as layers or as `activation=`: {', '.join(ACTIVATIONS)}.\n"
    return "\n".join(
        [f"{_HEAD}| layer | what becomes of it | settings |", "|---|---|---|", *rows, activations]
    )


def _treatment(spec: LayerSpec) -> str:
    if spec.skippable:
        return "products are skipped; weights and outputs are quantized"
    if spec.kernel is not None or spec.weights:
        return "quantized, kept whole"
    return "kept"


def _limits(spec: LayerSpec) -> str:
    limits = []
    for setting, values in spec.required.items():
        allowed = ["not set" if value is None else repr(value) for value in values]
        limits.append(f"`{setting}` {' or '.join(allowed)}")
    return ", ".join(limits) or "any"


if __name__ == "__main__":
    if len(sys.argv) > 2:
        sys.exit("usage: python -m keras_approx.layers.documentation [docs/layers.md]")
    Path(sys.argv[1] if len(sys.argv) == 2 else "docs/layers.md").write_text(page(), encoding="utf-8")
