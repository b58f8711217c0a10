"""The cost of a kept pair in each layer, from a cost model's answers for masks that differ in one layer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_approx.errors import OptionError
from keras_approx.layers.skip_wrapper import get_masks, set_masks
from keras_approx.skipping.granularity import (
    Granularities,
    Granularity,
    group_sums,
    kept_pairs,
    layer_granularities,
    spread,
)


@dataclass(frozen=True)
class CyclePrices(Mapping[str, float]):
    """Cycles of an inference as a linear function of the pairs that are kept.

    It is a mapping, from layer names to the cycles that one kept pair takes, as options called `prices` take it.

    Attributes:
        pairs: By layer name, cycles that one kept pair takes.
        fixed: Cycles of all else: layers that do not skip, and what a layer takes for each output.
    """

    pairs: Mapping[str, float]
    fixed: float

    def __getitem__(self, layer: str) -> float:
        return self.pairs[layer]

    def __iter__(self) -> Iterator[str]:
        return iter(self.pairs)

    def __len__(self) -> int:
        return len(self.pairs)

    def cycles(self, masks: Mapping[str, np.ndarray]) -> float:
        """Cycles of an inference with these masks, for all layers."""
        return self.fixed + sum(price * kept_pairs(masks[name]) for name, price in self.pairs.items())

    def budget(self, cycles: float) -> float:
        """What is left for pairs of the cycles of a whole inference: a budget for masks.

        Raises:
            OptionError: If nothing is left.
        """
        if not cycles > self.fixed:
            raise OptionError(
                f"an inference without any product takes {self.fixed:.0f} cycles already, so it cannot take "
                f"{cycles:.0f}: allow more, or choose a smaller network"
            )
        return cycles - self.fixed


def measure_prices(
    model: Any,
    cycles: Callable[[Any], float],
    *,
    granularity: Granularities = "pair",
    kept: tuple[float, float] = (0.25, 0.5),
    seed: int = 0,
) -> CyclePrices:
    """Measures the prices of pairs around the density that is aimed at.

    With random masks that keep the first fraction of every layer, one layer after another gets the second
    fraction. The model is left as it was.

    Args:
        model: A wrapped model, calibrated.
        cycles: Gives the cycles of one inference of the model as it is; called once, and once for each layer
            that skips. With the export package: `export.Pricer(model, target=...).cycles`.
        granularity: Of the masks to come, for all layers or by layer name or pattern: what blocks share makes their
            pairs cheaper, and pairs of whole kernels may be computed by Winograd's algorithm.
        kept: Two fractions of groups to keep, in (0, 1], the smaller one first.
        seed: Of the masks.

    Returns:
        The prices, for `prices=` of Eliminate, Rank, eliminate and callbacks; their `budget` says what of the cycles of
        a whole inference is left for pairs.

    Raises:
        OptionError: If the fractions are none of the above, or a layer's price does not come out above 0.
        NotWrappedError: If the model is not wrapped.

    Example:
        prices = keras_approx.measure_prices(model, export.Pricer(model).cycles)
        way = keras_approx.Eliminate(prices.budget(2e6), select="budget", prices=prices)
        model, history = keras_approx.fine_tune(model, (images, labels), skipping=way)
    """
    low, high = kept
    if not 0 < low < high <= 1:
        raise OptionError(f"kept must be two fractions with 0 < first < second <= 1, got {kept}")
    before = get_masks(model)
    extents = layer_granularities(granularity, list(before))
    rng = np.random.default_rng(seed)
    chances = {
        name: spread(rng.permuted(_ranks(mask, extents[name]), axis=None), mask.shape, extents[name])
        for name, mask in before.items()
    }
    base = {name: chance < low for name, chance in chances.items()}
    try:
        set_masks(model, base)
        least = float(cycles(model))
        prices = {}
        for name, chance in chances.items():
            set_masks(model, {**base, name: chance < high})
            more = float(cycles(model)) - least
            pairs = kept_pairs(chance < high) - kept_pairs(base[name])
            if not more > 0 or not pairs:
                raise OptionError(
                    f"layer {name!r} with {pairs} more of its pairs takes {more:g} more cycles: expected both above 0; "
                    "check the cost function, or choose fractions further apart"
                )
            prices[name] = more / pairs
    finally:
        set_masks(model, before)
    return CyclePrices(prices, least - sum(price * kept_pairs(base[name]) for name, price in prices.items()))


def _ranks(mask: np.ndarray, granularity: str | Granularity) -> np.ndarray:
    """Evenly spaced from 0 to below 1, one for each group of a mask's kernel."""
    shape = group_sums(mask, granularity).shape
    return (np.arange(np.prod(shape)) / np.prod(shape)).reshape(shape)
