"""The learning rate of fine-tuning: its peak, from the model's weights, and its schedule."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

from keras_approx.errors import OptionError
from keras_approx.layers.quantized_layers import QuantizedWrapper

MOST = 2e-3
SHARE = 0.02
"""A step of Adam changes each weight by about the learning rate, which is this share of the weights' typical size."""
WARM_UP = 0.05
"""Share of the steps over which the rate rises to its peak."""


def default_rate(model: Any) -> float:
    """A learning rate for Adam that suits a trained model's weights, whatever the scale of its inputs and its loss.

    Adam's steps do not depend on the size of gradients, so on neither of those; they move every weight by about the
    learning rate. It is a fixed share of the root mean square of the layer whose weights are smallest, MOST at most.
    """
    sizes = [
        float(np.sqrt(np.mean(np.square(layer.kernel.numpy()))))
        for layer in model.layers
        if isinstance(layer, QuantizedWrapper)
    ]
    return min([MOST, *(SHARE * size for size in sizes if size > 0)])


@dataclass(frozen=True)
class WarmCosine:
    """Rises in a line over the first steps, then falls to 0 along half a wave of a cosine.

    Attributes:
        peak: The highest rate.
        steps: Of the whole training.

    Raises:
        OptionError: If the peak is no finite number above 0.
    """

    peak: float
    steps: int

    def __post_init__(self) -> None:
        if not isinstance(self.peak, Real) or not 0 < self.peak < math.inf:
            raise OptionError(
                f"the learning rate must be a finite number above 0, got {self.peak!r}; it rises and falls by itself, "
                "and an optimizer= has a schedule of its own"
            )

    def __call__(self, step: int) -> float:
        warm = max(1, round(WARM_UP * self.steps))
        if step < warm:
            return self.peak * (step + 1) / warm
        done = min((step - warm) / max(self.steps - warm, 1), 1.0)
        return self.peak * (1 + math.cos(math.pi * done)) / 2
