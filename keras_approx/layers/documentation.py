"""The page of supported layers, from the table of layers: `python -m keras_approx.layers.documentation`."""

from __future__ import annotations

import sys
from pathlib import Path

from keras_approx.layers.registry import ACTIVATIONS, LAYERS, LayerSpec

_HEAD = """# Supported layers

What `keras_approx.wrap` takes of Keras, in tf_keras and Keras 3; `export.to_c` and `export.to_tflite` take the same,
wrapped or plain. A model that has something else is refused, with the layer and the setting that is in the way.
Written by `python -m keras_approx.layers.documentation`. `.tflite` files need no Keras layers, and may hold more: see
[Operators](operators.md).

Models are Sequential or functional, float32 and channels last, nested or not, with any number of inputs and outputs of
fixed shapes. Layers may be shared: their calls have one mask and one kernel, and ranges of their own. Calls may have
`training=False`, which freezes a layer; other arguments are refused. Sums, differences and products of tensors, and
with numbers, and quotients by numbers are read as the layers that compute them: `x * y`, `x + 3`, `x / 2`.

Wrapped models have fewer kinds of layers. Those of sequences become layers of images of one row, so that the mask of a
Conv1D has the shape (1, size, inputs, outputs); Dense layers at many positions become 1x1 convolutions, separable
convolutions two layers, and activation functions layers of their own. Exploration takes models
of one output whose masked layers are called once.

**mask**: single products can be skipped. All other layers are quantized, and computed as they are.
"""


def page() -> str:
    """The content of docs/layers.md."""
    rows: dict[tuple[bool, str], list[str]] = {}
    for name, spec in LAYERS.items():
        rows.setdefault((spec.skippable, _limits(spec)), []).append(name)
    lines = [
        f"| {', '.join(names)} | {'mask' if masked else ''} | {limits} |"
        for (masked, limits), names in rows.items()
    ]
    functions = f"Activation functions, of layers or alone: {', '.join(ACTIVATIONS)}."
    caution = "hard_sigmoid is that of Keras 3; Keras 2 has another, which is refused."
    return "\n".join(
        [_HEAD, "| layers | | what is supported |", "|---|---|---|", *lines, "", f"{functions} {caution}", ""]
    )


def _limits(spec: LayerSpec) -> str:
    return spec.limits or "all"


if __name__ == "__main__":
    if len(sys.argv) > 2:
        sys.exit("usage: python -m keras_approx.layers.documentation [docs/layers.md]")
    Path(sys.argv[1] if len(sys.argv) == 2 else "docs/layers.md").write_text(page(), encoding="utf-8")
