"""From significance to masks: which operands of each layer are kept. Pure NumPy.

Operands are dropped in groups, all or none. With granularity "operand" each is its own group. With "pair" a
group is what one dual multiply-accumulate instruction takes: input channels 2k and 2k+1 at one kernel position
(inputs 2k and 2k+1 of a dense layer); an odd last channel is alone. With "block" it is a pair for 4 output
channels 4k to 4k+3. With "kernel" and "kernel block" it is the same at all kernel positions: such masks still skip
instructions where a convolution is computed by Winograd's algorithm, whose products are sums over positions. Other
extents are given as a Granularity. Significances of groups are per instruction. Layers may have unlike granularities:
a mapping gives them by layer name or pattern, the first that matches counts, and "pair" is for the others.

Arrays are of a kernel's shape, (kernel height, kernel width, input channels, output channels) or (inputs,
outputs); masks are bool, True where a product is kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Literal, get_args

import numpy as np

from keras_approx.checks import check_kept
from keras_approx.errors import MaskError, OptionError
from keras_approx.skipping.granularity import (
    Granularities,
    Granularity,
    get_granularity,
    group_significance,
    group_sums,
    layer_granularities,
    spread,
)
from keras_approx.storage.arrays import read_arrays, write_arrays
from keras_approx.storage.files import replacing

Scope = Literal["global", "layer"]
"""Whether all layers are in one ranking, or each in its own."""
NOTHING: Mapping[str, float] = MappingProxyType({})


def threshold_mask(
    significance: np.ndarray,
    threshold: float,
    granularity: str | Granularity = "pair",
    *,
    least: float = 0.0,
    most: float = 1.0,
) -> np.ndarray:
    """Keeps the groups whose significance is at least the threshold.

    Args:
        significance: Array of a kernel's shape.
        threshold: Least significance of a group; see granularity.group_significance.
        granularity: A name in GRANULARITIES or a Granularity.
        least: Share of the products that is kept in any case, the most significant ones, 0 to 1.
        most: Share of the products that is kept at most.

    Raises:
        OptionError: If the granularity, `least` or `most` is none of the above.
    """
    groups = _Groups(
        significance.shape,
        granularity,
        group_significance(significance, granularity),
        group_sums(np.ones_like(significance), granularity),
        least,
        most,
    )
    keep = ((groups.ranks >= threshold) & groups.allowed) | groups.first
    return spread(keep, significance.shape, granularity)


def share_thresholds(
    significance: np.ndarray, shares: Sequence[float], granularity: str | Granularity = "pair"
) -> list[float]:
    """The thresholds at which threshold_mask keeps these shares of a layer's groups.

    What a threshold skips depends on the layer and on the metric, so a grid of thresholds is best laid over shares.

    Args:
        significance: Array of a kernel's shape.
        shares: Of the groups, 0 to 1; with 1 the threshold is 0.
        granularity: A name in GRANULARITIES or a Granularity.

    Raises:
        OptionError: If a share or the granularity is none of the above.

    Example:
        thresholds = share_thresholds(significance("relative", kernel, statistics), (1.0, 0.8, 0.6))
    """
    ranked = np.sort(group_significance(significance, granularity), axis=None)[::-1]
    found = []
    for share in shares:
        count = round(_share(share) * len(ranked))
        if count == len(ranked):
            found.append(0.0)
        else:  # halfway to the first that goes, so that rounding does not matter
            found.append(
                float((ranked[count - 1] + ranked[count]) / 2) if count else float(2 * ranked[0] + 1)
            )
    return found


def fraction_masks(
    significance: Mapping[str, np.ndarray],
    positions: Mapping[str, int],
    fraction: float,
    *,
    granularity: Granularities = "pair",
    scope: Scope = "global",
    cost_exponent: float = 1.0,
    least: Mapping[str, float] = NOTHING,
    most: Mapping[str, float] = NOTHING,
) -> dict[str, np.ndarray]:
    """Keeps the most significant groups that make up at most a fraction of the products.

    A pair takes an instruction at each position of its layer's output. Groups are ranked by significance /
    positions^cost_exponent: otherwise layers that cost little, such as dense ones, would lose nearly
    everything to save nothing. They are taken from the first down until the next one would exceed the
    fraction; equal ones in layer and kernel order.

    Args:
        significance: By layer name.
        positions: By layer name, how many products each operand stands for; see registry.positions.
        fraction: Of products to keep, 0 to 1.
        granularity: Of all layers, or by layer name or pattern.
        scope: "global": one ranking of all layers' groups. "layer": the fraction of each layer.
        cost_exponent: 0 ranks by significance alone, which empties wide late layers, 1 by significance per
            instruction, which empties early ones.
        least: By layer name, the share of a layer's products that is kept in any case; 0 where not named.
        most: By layer name, the share that is kept at most; 1 where not named.

    Returns:
        Masks by layer name.

    Raises:
        OptionError: If an option is none of the above, or `least` asks for more than the fraction.
    """
    check_kept(fraction)
    if scope not in get_args(Scope):
        raise OptionError(f"scope must be one of {', '.join(get_args(Scope))}, got {scope!r}")
    extents = layer_granularities(granularity, list(significance))
    groups = {
        name: _Groups(
            values.shape,
            extents[name],
            group_significance(values / positions[name] ** cost_exponent, extents[name]),
            group_sums(np.full(values.shape, positions[name], np.int64), extents[name]),
            least.get(name, 0.0),
            most.get(name, 1.0),
        )
        for name, values in significance.items()
    }
    scopes = [groups] if scope == "global" else [{name: layer} for name, layer in groups.items()]
    masks: dict[str, np.ndarray] = {}
    for part in scopes:
        # Half a product of tolerance: the fraction times the total need not be exact in floating point.
        amount = fraction * sum(int(layer.costs.sum()) for layer in part.values()) + 0.5
        masks |= _select(part, amount)
    return masks


def budget_masks(
    significance: Mapping[str, np.ndarray],
    prices: Mapping[str, float],
    budget: float,
    *,
    granularity: Granularities = "pair",
    cost_exponent: float = 1.0,
    least: Mapping[str, float] = NOTHING,
    most: Mapping[str, float] = NOTHING,
) -> dict[str, np.ndarray]:
    """Keeps the groups that give most significance per cycle and together take at most a budget of cycles.

    Groups are ranked by the significance of their pairs / price^cost_exponent, and taken from the first down
    until the next one would exceed the budget.

    Args:
        significance: By layer name.
        prices: By layer name, cycles that one kept pair takes in an inference; others are not looked at.
        budget: Cycles for all kept pairs.
        granularity: Of all layers, or by layer name or pattern: one of whole pairs.
        cost_exponent: 1 ranks by significance per cycle. Where significance is a share of one output, however
            many positions it has, that favors late layers, and less than 1 balances; see fraction_masks.
        least: By layer name, the share of a layer's cycles that is kept in any case; 0 where not named.
        most: By layer name, the share that is kept at most; 1 where not named.

    Returns:
        Masks by layer name.

    Raises:
        OptionError: If an option is none of the above, a price is missing or not positive, or `least` asks
            for more than the budget.
    """
    extents = layer_granularities(granularity, list(significance))
    if not budget >= 0:
        raise OptionError(f"the budget must be a number of cycles, at least 0, got {budget}")
    groups = {}
    for name, values in significance.items():
        extent = get_granularity(extents[name])
        if extent.inputs % 2:
            raise OptionError(
                "a budget buys whole pairs: granularity must be pair, block, kernel, kernel block or have an even "
                f"number of inputs, got {extents[name]!r}"
            )
        pairs = group_sums(np.ones_like(values), "pair") > 0
        counts = group_sums(pairs, replace(extent, inputs=extent.inputs // 2))
        price = pair_price(prices, name)
        rank = group_sums(values, extent) / (counts * price**cost_exponent)
        shares = least.get(name, 0.0), most.get(name, 1.0)
        groups[name] = _Groups(values.shape, extent, rank, counts * price, *shares)
    # Room for the rounding of the sum: a budget that is all there is buys all there is.
    return _select(groups, budget * (1 + 1e-9))


def pair_price(prices: Mapping[str, float], name: str) -> float:
    """The price of a layer's pairs, checked."""
    if not prices.get(name, 0) > 0:
        raise OptionError(
            f"prices must give the cycles of a pair, above 0, for every layer that skips; layer {name!r} has "
            f"{prices.get(name)}"
        )
    return prices[name]


@dataclass(frozen=True)
class _Groups:
    """The groups of a kernel of this shape: their ranks, their costs, and the shares that must and may be kept."""

    shape: tuple[int, ...]
    granularity: str | Granularity
    ranks: np.ndarray
    costs: np.ndarray
    least: float
    most: float

    @property
    def first(self) -> np.ndarray:
        """The groups of highest rank that make up at least the share `least` of the costs: bool."""
        order, before, total = self._ordered()
        # Those before it do not reach the share, but for rounding.
        return self._marked(order, before < (_share(self.least) - 1e-9) * total)

    @property
    def allowed(self) -> np.ndarray:
        """The groups of highest rank that make up at most the share `most` of the costs, and `first`: bool."""
        order, before, total = self._ordered()
        within = before + self.costs.ravel()[order] <= (_share(self.most) + 1e-9) * total
        return self._marked(order, within) | self.first

    def _ordered(self) -> tuple[np.ndarray, np.ndarray, float]:
        """Groups from the highest rank down, the cost of those before each, and the total."""
        order = np.argsort(-self.ranks, axis=None, kind="stable")
        sums = np.cumsum(self.costs.ravel()[order])
        return order, np.concatenate([[0], sums[:-1]]), float(sums[-1])

    def _marked(self, order: np.ndarray, which: np.ndarray) -> np.ndarray:
        marked = np.zeros(self.ranks.size, np.bool_)
        marked[order] = which
        return marked.reshape(self.ranks.shape)


def _select(layers: Mapping[str, _Groups], amount: float) -> dict[str, np.ndarray]:
    """Masks of the first groups by rank that cost at most the amount."""
    if not layers:
        return {}
    ranks = np.concatenate([groups.ranks.ravel() for groups in layers.values()])
    costs = np.concatenate([groups.costs.ravel() for groups in layers.values()])
    first = np.concatenate([groups.first.ravel() for groups in layers.values()])
    allowed = np.concatenate([groups.allowed.ravel() for groups in layers.values()])
    order = np.lexsort((-ranks, ~first))
    order = order[allowed[order]]
    count = int(np.searchsorted(np.cumsum(costs[order]), amount, side="right"))
    if count < first.sum():
        raise OptionError(
            f"the shares that `least` keeps cost {costs[first].sum():g}, more than the {amount:g} that all kept "
            "products may cost: lower `least`, or raise the fraction or the budget"
        )
    kept = np.zeros(len(ranks), np.bool_)
    kept[order[:count]] = True
    masks, start = {}, 0
    for name, groups in layers.items():
        chosen = kept[start : start + groups.ranks.size].reshape(groups.ranks.shape)
        masks[name] = spread(chosen, groups.shape, groups.granularity)
        start += groups.ranks.size
    return masks


def _share(share: float) -> float:
    if not 0 <= share <= 1:
        raise OptionError(f"the shares to keep at least and at most must be between 0 and 1, got {share}")
    return share


def kept_fraction(masks: Mapping[str, np.ndarray], positions: Mapping[str, int]) -> float:
    """The share of products that masks keep."""
    kept = sum(int(mask.sum()) * positions[name] for name, mask in masks.items())
    return kept / sum(mask.size * positions[name] for name, mask in masks.items())


def save_masks(path: str | Path, masks: Mapping[str, np.ndarray]) -> None:
    """Writes masks to a compressed file.

    Args:
        path: Of the .npz file to write.
        masks: bool arrays by layer name, as keras_approx.get_masks gives them.

    Raises:
        OSError: If it cannot be written.
    """
    with replacing(path) as file:
        write_arrays(file, {name: np.asarray(mask, np.bool_) for name, mask in masks.items()}, compress=True)


def load_masks(path: str | Path) -> dict[str, np.ndarray]:
    """Reads what save_masks wrote.

    Args:
        path: Of the .npz file.

    Returns:
        bool arrays by layer name, for keras_approx.set_masks.

    Raises:
        MaskError: If the file is not an .npz of bool arrays.
        OSError: If it cannot be read.
    """
    try:
        masks = read_arrays(path)
    except ValueError as error:
        raise MaskError(f"{path} is not an .npz file of masks, as save_masks writes it: {error}") from error
    wrong = [name for name, mask in masks.items() if mask.dtype != np.bool_]
    if wrong:
        raise MaskError(f"{path} has arrays that are not bool, so they are no masks: {', '.join(wrong)}")
    return masks
