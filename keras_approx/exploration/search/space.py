"""The designs that a search may choose from, and the masks that they stand for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

import numpy as np

from keras_approx.errors import OptionError
from keras_approx.exploration.design import EVERYTHING, Design, canonical
from keras_approx.layers.skip_wrapper import skip_wrappers
from keras_approx.measure.summaries import mask_positions, masked_layers
from keras_approx.skipping.granularity import Granularity, group_significance
from keras_approx.skipping.selection import Selection
from keras_approx.skipping.significance import ELIMINATION, Metric, significance
from keras_approx.training.eliminate import Refit

Values = Sequence[float] | Mapping[str, Sequence[float]]
FRACTIONS = tuple(round(1 - 0.05 * step, 2) for step in range(20))
_BINS = 40
_DECADES = 6


@dataclass(frozen=True)
class Space:
    """The design space.

    Attributes:
        select: What values are; see Design.
        granularities: That a design may have.
        values: By layer name, in the order of computation, the values that it may have, from the one that keeps most
            to the one that keeps least. Exempt layers are not named.
    """

    select: str
    granularities: tuple[str | Granularity, ...]
    values: Mapping[str, tuple[float, ...]]

    def design(self, levels: Sequence[int], granularity: str | Granularity) -> Design:
        """The design that has for each layer the value of this number."""
        values = {name: self.values[name][level] for name, level in zip(self.values, levels, strict=True)}
        return Design(self.select, granularity, values)

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many values each layer may have."""
        return tuple(len(values) for values in self.values.values())


def make_space(
    layers: Sequence[str],
    select: str,
    granularity: str | Granularity | Sequence[str | Granularity],
    values: Values | None,
    exempt: Sequence[str],
) -> Space:
    """The space of the designs for some layers; the arguments are those of `explore`.

    Raises:
        OptionError: If one has a value that it cannot have, or a pattern matches no layer.
    """
    several = [granularity] if isinstance(granularity, (str, Granularity)) else list(granularity)
    if not several:
        raise OptionError("granularity is empty: expected at least one")
    granularities = tuple(dict.fromkeys(map(canonical, several)))
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
    unused = [pattern for pattern in given if not any(fnmatchcase(name, pattern) for name in chosen)]
    if unused:
        raise OptionError(f"values of {', '.join(unused)} match none of the layers {', '.join(chosen)}")
    return Space(select, granularities, found)


def _layer_values(name: str, select: str, given: Mapping[str, Sequence[float]]) -> tuple[float, ...]:
    pattern = next((pattern for pattern in given if fnmatchcase(name, pattern)), None)
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
    """

    significance: Mapping[str, np.ndarray]
    positions: Mapping[str, int]
    _masks: dict[tuple[Any, ...], np.ndarray] = field(default_factory=dict, compare=False)

    def masks(self, design: Design) -> dict[str, np.ndarray]:
        """The masks of a design; the same array for the same value of a layer, not to be written to."""
        return {name: self._mask(name, design) for name in self.significance}

    def _mask(self, name: str, design: Design) -> np.ndarray:
        key = (name, design.select, design.granularity, design.value(name))
        if key not in self._masks:
            alone = Design(design.select, design.granularity, {name: design.value(name)})
            mask = alone.masks({name: self.significance[name]}, self.positions)[name]
            mask.flags.writeable = False
            self._masks[key] = mask
        return self._masks[key]

    def products(self, masks: Mapping[str, np.ndarray]) -> dict[str, int]:
        """Products that masks keep in an inference, by layer."""
        return {name: times * int(np.count_nonzero(masks[name])) for name, times in self.positions.items()}

    def histograms(self, granularity: str | Granularity) -> dict[str, dict[str, list[float]]]:
        """How many groups of each layer have which significance.

        Returns:
            By layer name 41 "edges", evenly spaced on a logarithmic scale over at most six decades, and 40 "counts";
            groups below the first edge count in the first bin.
        """
        return {name: _histogram(group_significance(s, granularity)) for name, s in self.significance.items()}


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
    granularity: str | Granularity = "pair",
    refits: Mapping[str, Refit] | None = None,
) -> Layers:
    """The significance of all operands of a calibrated model.

    Args:
        model: The model.
        metric: As `explore` takes it.
        granularity: Of masks, for "elimination".
        refits: Of all layers, for "elimination".

    Raises:
        NotWrappedError: If the model is not wrapped.
        NotCalibratedError: If it was not calibrated, or the metric needs gradients that were not measured.
        OptionError: If the metric is unknown.
    """
    wrappers = {layer.name: layer for layer in skip_wrappers(model)}
    names = masked_layers(model)
    positions = mask_positions(model)
    found = {}
    for name in names:
        kernel = wrappers[name].kernel.numpy()
        found[name] = (
            refits[name].significance(kernel, granularity)
            if metric == ELIMINATION and refits is not None
            else significance(metric, kernel, wrappers[name].get_statistics())
        )
    return Layers(found, {name: positions[name] for name in names})
