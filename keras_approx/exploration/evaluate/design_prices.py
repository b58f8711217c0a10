"""The cost of designs, by the cost model of `explore` or a user's own function."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol, runtime_checkable

import numpy as np

from keras_approx.errors import OptionError
from keras_approx.exploration.design import Design
from keras_approx.exploration.search.space import Layers, Space
from keras_approx.layers.skip_wrapper import get_masks, skip_wrappers
from keras_approx.skipping.granularity import refines

Arrays = Mapping[str, np.ndarray]
Price = Callable[[Arrays], Mapping[str, float]]
Fitted = Callable[[str, np.ndarray], np.ndarray]
"""The weights that a layer of this name gets with a mask."""


@runtime_checkable
class PriceOfWeights(Protocol):
    """A price that looks at weights too, as export.Pricer does."""

    def __call__(self, masks: Arrays, /) -> Mapping[str, float]:
        """The costs of masks, with the weights that the model had."""
        ...

    def with_weights(self, masks: Arrays, kernels: Arrays, /) -> Mapping[str, float]:
        """The costs of masks and of kernels by layer name; layers that are not named have those the model had."""
        ...


def price_of_model(price: Price, model: Any) -> dict[str, float]:
    """The costs of a model's masks, and of its weights if the price looks at them."""
    masks = get_masks(model)
    if isinstance(price, PriceOfWeights):
        kernels = {layer.name: layer.kernel.numpy() for layer in skip_wrappers(model)}
        found = price.with_weights(masks, kernels)
    else:
        found = price(masks)
    return {name: float(cost) for name, cost in found.items()}


class Pricing:
    """Prices designs.

    Args:
        layers: The layers that designs are about.
        price: Gives the costs of masks; None for {"products": kept products}.
        objectives: Names of the costs that the search is about; None for "cycles" with a price, "products" without.
        fitted: How weights are fitted to masks; None if they stay.

    Raises:
        OptionError: If there is no objective.
    """

    def __init__(
        self,
        layers: Layers,
        price: Price | None,
        objectives: Sequence[str] | None,
        fitted: Fitted | None = None,
    ) -> None:
        if objectives is None:
            objectives = ["products"] if price is None else ["cycles"]
        if isinstance(objectives, str) or not objectives:
            raise OptionError(f"objectives must be a sequence of at least one name, got {objectives!r}")
        self.layers = layers
        self.price = price
        self.objectives = tuple(objectives)
        self._fitted = fitted
        self._kernels: dict[tuple[str, int], np.ndarray] = {}  # masks of Layers stay, so their ids do

    def costs(self, design: Design) -> dict[str, float]:
        """The costs of a design, by name.

        Raises:
            OptionError: If they are not finite, or an objective is not among them.
        """
        masks = self.layers.masks(design)
        found = self._found(masks)
        costs = {name: float(value) for name, value in found.items()}
        if not set(self.objectives) <= set(costs) or not all(map(math.isfinite, costs.values())):
            raise OptionError(
                f"the price must give finite numbers, those of {', '.join(self.objectives)} among them, got {costs}: "
                "check price= and objectives="
            )
        return costs

    def _found(self, masks: Arrays) -> Mapping[str, float]:
        if self.price is None:
            return {"products": sum(self.layers.products(masks).values())}
        if self._fitted is None or not isinstance(self.price, PriceOfWeights):
            return self.price(masks)
        kernels = {}
        for name, mask in masks.items():
            key = (name, id(mask))
            if not mask.all() and key not in self._kernels:
                self._kernels[key] = self._fitted(name, mask)
            if key in self._kernels:
                kernels[name] = self._kernels[key]
        return self.price.with_weights(masks, kernels)


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
