"""The designs that a search may choose from, and the masks that they stand for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from keras_approx.errors import OptionError
from keras_approx.exploration.design import EVERYTHING, Design
from keras_approx.layers.skip_wrapper import skip_wrappers
from keras_approx.measure.summaries import mask_positions, masked_layers
from keras_approx.skipping.granularity import (
    DEFAULT,
    Granularity,
    first_matches,
    granularity_name,
    group_significance,
    matches,
)
from keras_approx.skipping.selection import Select, Selection
from keras_approx.skipping.significance import ELIMINATION, Metric, significance
from keras_approx.training.eliminate import Refit

MAY_PAY = (DEFAULT, "kernel", "kernel block")
"""Granularities that a layer chooses from if nothing else is said: which one pays depends on how it is computed."""

Values = Sequence[float] | Mapping[str, Sequence[float]]
Choices = (
    str
    | Granularity
    | Sequence[str | Granularity]
    | Mapping[str, str | Granularity | Sequence[str | Granularity]]
)
"""Granularities of `explore`: one, several that are tried for all layers, or by layer name or pattern those that a
layer may choose from."""
FRACTIONS = tuple(round(1 - 0.05 * step, 2) for step in range(20))
_BINS = 40
_DECADES = 6


@dataclass(frozen=True)
class Space:
    """The design space.

    Attributes:
        select: What values are; see Design.
        granularities: That a design may have for all layers.
        values: By layer name, in the order of computation, the values that it may have, from the one that keeps most
            to the one that keeps least. Exempt layers are not named.
        choices: By layer name, the granularities that each layer may have whatever the others have; none where that of
            the design is for all.
        wasted: Layer, value and granularity of what no design has: it saves no more than a choice that skips less.
    """

    select: Select
    granularities: tuple[str | Granularity, ...]
    values: Mapping[str, tuple[float, ...]]
    choices: Mapping[str, tuple[str | Granularity, ...]] = field(default_factory=dict)
    wasted: Set[tuple[str, float, str | Granularity]] = frozenset()

    def levels(self, layer: str) -> list[tuple[float, str | Granularity | None]]:
        """A layer's values, from the one that keeps most, each with every granularity that it may choose."""
        found: list[tuple[float, str | Granularity | None]] = []
        for value in self.values[layer]:
            everything = value == EVERYTHING[self.select]
            found += [
                (value, one)
                for one in self.choices.get(layer, (None,))[: 1 if everything else None]
                if one is None or (layer, value, one) not in self.wasted
            ]
        return found

    def design(self, levels: Sequence[int], granularity: str | Granularity) -> Design:
        """The design that has for each layer the level of this number, and a granularity where layers choose none."""
        chosen = {name: self.levels(name)[level] for name, level in zip(self.values, levels, strict=True)}
        values = {name: value for name, (value, _) in chosen.items()}
        return Design(
            self.select,
            {name: granularity if one is None else one for name, (_, one) in chosen.items()},
            values,
        )

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many levels each layer may have."""
        return tuple(len(self.levels(name)) for name in self.values)


def make_space(
    layers: Sequence[str],
    select: Select,
    granularity: Choices,
    values: Values | None,
    exempt: Sequence[str],
) -> Space:
    """The space of the designs for some layers; the arguments are those of `explore`.

    Raises:
        OptionError: If one has a value that it cannot have, or a pattern matches no layer.
    """
    granularities = (DEFAULT,) if isinstance(granularity, Mapping) else _several(granularity)
    settings = Selection(exempt=exempt).settings(layers)
    chosen = [name for name in layers if settings[name] is not None]
    if not chosen:
        raise OptionError("every layer is exempt, so there is nothing to explore")
    if values is None and Design(select).select != "fraction":
        raise OptionError(
            f"with select={select!r} give values=, such as numpy.arange(0, 0.011, 0.001): thresholds depend on "
            "the significance metric"
        )
    given = values if isinstance(values, Mapping) else {"*": FRACTIONS if values is None else values}
    found = {name: _layer_values(name, select, given) for name in chosen}
    unused = [pattern for pattern in given if not any(matches(name, pattern) for name in chosen)]
    if unused:
        raise OptionError(f"values of {', '.join(unused)} match none of the layers {', '.join(chosen)}")
    choices = _choices(chosen, granularity) if isinstance(granularity, Mapping) else {}
    return Space(select, granularities, found, choices)


def _several(granularity: str | Granularity | Sequence[str | Granularity]) -> tuple[str | Granularity, ...]:
    several = [granularity] if isinstance(granularity, (str, Granularity)) else list(granularity)
    if not several:
        raise OptionError("granularity is empty: expected at least one")
    return tuple(dict.fromkeys(map(granularity_name, several)))


def _choices(
    layers: Sequence[str], given: Mapping[str, str | Granularity | Sequence[str | Granularity]]
) -> dict[str, tuple[str | Granularity, ...]]:
    """The granularities that each layer may choose from, DEFAULT where no pattern matches."""
    several = [_several(one) for one in given.values()]
    first = first_matches(list(given), layers)
    return {name: (DEFAULT,) if number is None else several[number] for name, number in first.items()}


def _layer_values(name: str, select: Select, given: Mapping[str, Sequence[float]]) -> tuple[float, ...]:
    pattern = next((pattern for pattern in given if matches(name, pattern)), None)
    if pattern is None:
        raise OptionError(f"layer {name!r} has no values: give values= for it, or make it exempt")
    values = {Design(select, values={name: float(value)}).value(name) for value in given[pattern]}
    if not values:
        raise OptionError(f"values of {pattern!r} are empty: expected at least one {select}")
    return tuple(sorted(values, reverse=EVERYTHING[select] == 1))


@dataclass(frozen=True)
class Layers:
    """What is known of the layers that carry masks, in the order of computation.

    Attributes:
        significance: By layer name, of every operand.
        positions: By layer name, how many products an operand stands for.
        by_granularity: Where it depends on it, the significance by layer name and granularity.
    """

    significance: Mapping[str, np.ndarray]
    positions: Mapping[str, int]
    by_granularity: Mapping[tuple[str, str | Granularity], np.ndarray] = field(default_factory=dict)
    _masks: dict[tuple[Any, ...], np.ndarray] = field(default_factory=dict, compare=False)

    def masks(self, design: Design) -> dict[str, np.ndarray]:
        """The masks of a design; the same array for the same value of a layer, not to be written to."""
        return {name: self._mask(name, design) for name in self.significance}

    def _mask(self, name: str, design: Design) -> np.ndarray:
        granularity = design.granularity_of(name)
        key = (name, design.select, granularity, design.value(name))
        if key not in self._masks:
            alone = Design(design.select, granularity, {name: design.value(name)})
            values = self.by_granularity.get((name, granularity), self.significance[name])
            mask = alone.masks({name: values}, self.positions)[name]
            mask.flags.writeable = False
            self._masks[key] = mask
        return self._masks[key]

    def products(self, masks: Mapping[str, np.ndarray]) -> dict[str, int]:
        """Products that masks keep in an inference, by layer."""
        return {name: times * int(np.count_nonzero(masks[name])) for name, times in self.positions.items()}

    def histograms(self, granularities: Mapping[str, str | Granularity]) -> dict[str, dict[str, list[float]]]:
        """How many groups of each layer have which significance.

        Args:
            granularities: By layer name; DEFAULT where none is named.

        Returns:
            By layer name 41 "edges", evenly spaced on a logarithmic scale over at most six decades, and 40 "counts";
            groups below the first edge count in the first bin.
        """
        return {
            name: _histogram(group_significance(values, granularities.get(name, DEFAULT)))
            for name, values in self.significance.items()
        }


def _histogram(values: np.ndarray) -> dict[str, list[float]]:
    positive = values[values > 0]
    highest = float(positive.max(initial=0)) or 1.0
    lowest = max(float(positive.min(initial=highest)), highest * 10.0**-_DECADES)
    edges = np.geomspace(min(lowest, highest / 10), highest, _BINS + 1)
    edges[-1] = highest
    counts, _ = np.histogram(np.clip(values, edges[0], highest), edges)
    return {"edges": edges.tolist(), "counts": counts.tolist()}


def measure_layers(
    model: Any,
    metric: str | Metric,
    *,
    granularities: Mapping[str, Sequence[str | Granularity]] | None = None,
    refits: Mapping[str, Refit] | None = None,
) -> Layers:
    """The significance of all operands of a calibrated model.

    Args:
        model: The model.
        metric: As `explore` takes it.
        granularities: Of masks by layer name, at least one each, for "elimination"; "pair" where none is named.
        refits: Of all layers, for "elimination".

    Raises:
        NotWrappedError: If the model is not wrapped.
        NotCalibratedError: If it was not calibrated, or the metric needs gradients that were not measured.
        OptionError: If the metric is unknown.
    """
    wrappers = {layer.name: layer for layer in skip_wrappers(model)}
    names = masked_layers(model)
    positions = mask_positions(model)
    found, by_granularity = {}, {}
    for name in names:
        kernel = wrappers[name].kernel.numpy()
        if metric != ELIMINATION or refits is None:
            found[name] = significance(metric, kernel, wrappers[name].get_statistics())
            continue
        several = {name: (DEFAULT,), **(granularities or {})}[name]
        for granularity in several:
            by_granularity[name, granularity] = refits[name].significance(kernel, granularity)
        found[name] = by_granularity[name, several[0]]
    return Layers(found, {name: positions[name] for name in names}, by_granularity)
