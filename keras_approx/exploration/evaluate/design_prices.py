"""What designs cost, by whatever price there is."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from keras_approx.errors import OptionError
from keras_approx.exploration.design import Design
from keras_approx.exploration.search.space import Layers, Space
from keras_approx.skipping.granularity import refines

Price = Callable[[Mapping[str, np.ndarray]], Mapping[str, float]]


class Pricing:
    """Prices designs.

    Args:
        layers: The layers that designs are about.
        price: Gives the costs of masks; None for {"products": kept products}.
        objectives: Names of the costs that the search is about; None for "cycles" with a price, "products" without.

    Raises:
        OptionError: If there is no objective.
    """

    def __init__(self, layers: Layers, price: Price | None, objectives: Sequence[str] | None) -> None:
        if objectives is None:
            objectives = ["products"] if price is None else ["cycles"]
        if isinstance(objectives, str) or not objectives:
            raise OptionError(f"objectives must be a sequence of at least one name, got {objectives!r}")
        self.layers = layers
        self.price = price
        self.objectives = tuple(objectives)

    def costs(self, design: Design) -> dict[str, float]:
        """The costs of a design, by name.

        Raises:
            OptionError: If they are not finite, or an objective is not among them.
        """
        masks = self.layers.masks(design)
        found = self.price(masks) if self.price else {"products": sum(self.layers.products(masks).values())}
        costs = {name: float(value) for name, value in found.items()}
        if not set(self.objectives) <= set(costs) or not all(map(math.isfinite, costs.values())):
            raise OptionError(
                f"the price must give finite numbers, those of {', '.join(self.objectives)} among them, got {costs}: "
                "check price= and objectives="
            )
        return costs


def without_waste(space: Space, pricing: Pricing) -> Space:
    """The space without fractions that save no more than others which skip less.

    A layer need not be measured with pairs where only whole kernels save anything, and the other way round. For layers
    that choose their granularity; each is priced by itself.
    """
    wasted = set()
    for layer in space.choices:
        levels = [(value, one) for value, one in space.levels(layer) if one is not None]
        costs = [pricing.costs(Design(space.select, {layer: one}, {layer: value})) for value, one in levels]
        for (value, one), cost in zip(levels, costs, strict=True):
            better = (
                refines(other, one)
                and more >= value
                and (more, other) != (value, one)
                and all(least[name] <= cost[name] for name in pricing.objectives)
                for (more, other), least in zip(levels, costs, strict=True)
            )
            if any(better):
                wasted.add((layer, value, one))
    return replace(space, wasted=wasted)
