"""How masks are chosen, for all layers and for single ones by name or pattern. Pure NumPy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

import numpy as np

from keras_approx.errors import OptionError
from keras_approx.skipping.granularity import (
    Granularities,
    Granularity,
    first_matches,
    get_granularity,
    kept_pairs,
    layer_granularities,
)
from keras_approx.skipping.masks import Scope, budget_masks, fraction_masks, pair_price, threshold_mask
from keras_approx.skipping.schedules import AnySchedule, get_schedule

Select = Literal["fraction", "threshold", "budget"]
"""What a value of a schedule, of a layer or of a design stands for."""


@dataclass(frozen=True)
class LayerSetting:
    """How a layer departs from the others.

    Attributes:
        value: Its own kept fraction, threshold or budget in cycles, as `Selection.select` says: a number or a
            schedule. The layer is then no part of a global ranking. None for the value of all.
        least: Share of its products that is kept in any case, 0 to 1.
        most: Share of its products that is kept at most, `least` to 1, from the first update of masks on.

    Raises:
        OptionError: If `least` and `most` are not between 0 and 1, in this order.
    """

    value: AnySchedule | None = None
    least: float = 0.0
    most: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.least <= self.most <= 1:
            raise OptionError(
                "the least and the most share to keep must be between 0 and 1, in this order, got "
                f"{self.least} and {self.most}"
            )


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Chooses masks from significance.

    Attributes:
        select: What a value means: "fraction" of products to keep (of the layers that are ranked),
            "threshold" of significance, or "budget" of cycles for all kept pairs.
        granularity: What is kept or skipped together: a name, a Granularity, or either by layer name or pattern, such
            as {"conv1": "pair", "conv*": "kernel"}; see keras_approx.masks.
        scope: "global": one ranking of all layers. "layer": the fraction of each. For fractions only.
        cost_exponent: How much the cost of a weight counts against it in a global ranking: its positions, or
            its price; see masks.fraction_masks and masks.budget_masks. Thresholds do not rank.
        exempt: Names of layers, or patterns such as "conv2d*", that keep all their products.
        layers: Settings by layer name or pattern; a layer has the first that matches it.

    Raises:
        OptionError: If one has another value than those above.
    """

    select: Select = "fraction"
    granularity: Granularities = "pair"
    scope: Scope = "global"
    cost_exponent: float = 1.0
    exempt: Sequence[str] = ()
    layers: Mapping[str, LayerSetting] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_choice("select", self.select, get_args(Select))
        _check_choice("scope", self.scope, get_args(Scope))
        if self.scope != "global" and self.select != "fraction":
            raise OptionError(f"scope {self.scope!r} is for fractions, not for a {self.select}")
        given = self.granularity
        for granularity in given.values() if isinstance(given, Mapping) else [given]:
            get_granularity(granularity)
        if isinstance(self.exempt, str):
            raise OptionError(
                f"exempt must be a sequence of layer names or patterns, got the string {self.exempt!r}"
            )
        for pattern, setting in self.layers.items():
            if not isinstance(setting, LayerSetting):
                raise OptionError(f"layers[{pattern!r}] must be a LayerSetting, got {setting!r}")

    @property
    def end_step(self) -> int:
        """The last step at which a layer's own value changes."""
        own = [setting.value for setting in self.layers.values() if setting.value is not None]
        return max((get_schedule(value).end_step for value in own), default=0)

    def over(self, steps: int | None, first: int) -> Selection:
        """The same with schedules of single layers in steps; see schedules.get_schedule."""
        layers = {
            pattern: setting
            if setting.value is None
            else replace(setting, value=get_schedule(setting.value, steps=steps, first=first))
            for pattern, setting in self.layers.items()
        }
        return replace(self, layers=layers)

    def settings(self, names: Sequence[str]) -> dict[str, LayerSetting | None]:
        """The setting of each layer; None if it is exempt.

        Raises:
            OptionError: If a pattern is the first to match no layer.
        """
        choices = [*[None] * len(self.exempt), *self.layers.values()]
        first = first_matches([*self.exempt, *self.layers], names)
        return {name: LayerSetting() if number is None else choices[number] for name, number in first.items()}

    def check_skips(self, names: Sequence[str]) -> None:
        """Makes sure that there is something to skip.

        Raises:
            OptionError: If all of these layers are to keep all, or a pattern is the first to match no layer.
        """
        if all(setting is None or setting.least == 1 for setting in self.settings(names).values()):
            raise OptionError(
                f"there is nothing to skip: all layers ({', '.join(names)}) are to keep all their products; exempt "
                "fewer"
            )

    def granularities(self, names: Sequence[str]) -> dict[str, str | Granularity]:
        """The granularity of each layer, by its name if it has one.

        Raises:
            OptionError: If a pattern is the first to match no layer.
        """
        return layer_granularities(self.granularity, names)

    def masks(
        self,
        significance: Mapping[str, np.ndarray],
        positions: Mapping[str, int],
        value: float,
        *,
        step: int = 0,
        prices: Mapping[str, float] | None = None,
    ) -> dict[str, np.ndarray]:
        """Chooses the masks of all layers.

        Args:
            significance: By layer name, of all layers that skip.
            positions: By layer name, how many products each operand stands for.
            value: What `select` says, for layers without a value of their own.
            step: At which the schedules of single layers are read.
            prices: For budgets: by layer name, cycles of one kept pair in an inference.

        Returns:
            Masks by layer name.

        Raises:
            OptionError: If a value or price is none of the above, or a pattern matches no layer.
        """
        settings = self.settings(list(significance))
        extents = self.granularities(list(significance))
        masks: dict[str, np.ndarray] = {}
        ranked: dict[str, LayerSetting] = {}
        for name, setting in settings.items():
            if setting is None:
                masks[name] = np.ones(significance[name].shape, np.bool_)
            elif setting.value is None:
                ranked[name] = setting
            else:
                own = get_schedule(setting.value)(step)
                masks |= self._select({name: setting}, extents, significance, positions, own, prices)
        if self.select == "budget":
            value -= sum(
                kept_pairs(mask) * pair_price(_checked(prices), name) for name, mask in masks.items()
            )
            if ranked and value < 0:
                raise OptionError("exempt layers and those with a budget of their own take the whole budget")
        masks |= self._select(ranked, extents, significance, positions, value, prices)
        return {name: masks[name] for name in significance}

    def _select(
        self,
        settings: Mapping[str, LayerSetting],
        extents: Mapping[str, str | Granularity],
        significance: Mapping[str, np.ndarray],
        positions: Mapping[str, int],
        value: float,
        prices: Mapping[str, float] | None,
    ) -> dict[str, np.ndarray]:
        chosen = {name: significance[name] for name in settings}
        granularity = {name: extents[name] for name in settings}
        least = {name: setting.least for name, setting in settings.items()}
        most = {name: setting.most for name, setting in settings.items()}
        if self.select == "threshold":
            return {
                name: threshold_mask(values, value, extents[name], least=least[name], most=most[name])
                for name, values in chosen.items()
            }
        if self.select == "budget":
            return budget_masks(
                chosen,
                _checked(prices),
                value,
                granularity=granularity,
                cost_exponent=self.cost_exponent,
                least=least,
                most=most,
            )
        return fraction_masks(
            chosen,
            positions,
            value,
            granularity=granularity,
            scope=self.scope,
            cost_exponent=self.cost_exponent,
            least=least,
            most=most,
        )


def _checked(prices: Mapping[str, float] | None) -> Mapping[str, float]:
    if prices is None:
        raise OptionError("a budget needs prices: the cycles of one kept pair, by layer name")
    return prices


def _check_choice(name: str, value: str, choices: Sequence[str]) -> None:
    if value not in choices:
        raise OptionError(f"{name} must be one of {', '.join(choices)}, got {value!r}")
