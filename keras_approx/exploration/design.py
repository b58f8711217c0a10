"""A design: what share of its products, or down to which significance, each layer keeps. Pure data."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, PositiveInt, ValidationError

from keras_approx.errors import OptionError
from keras_approx.skipping.granularity import DEFAULT, Granularity, granularity_name
from keras_approx.skipping.selection import LayerSetting, Select, Selection
from keras_approx.storage.schema import Record, explain

EVERYTHING: Mapping[str, float] = {"fraction": 1.0, "threshold": 0.0}
"""For each selection the value with which a layer keeps all its products."""


OfLayers = str | Granularity | Mapping[str, str | Granularity]
"""The granularity of a design: one for all layers, or by layer name."""


def granularity_json(granularity: str | Granularity) -> str | list[int]:
    """The name, or input and output channels, and True behind them if a group has all taps: what JSON can hold."""
    known = granularity_name(granularity)
    if not isinstance(known, Granularity):
        return known
    return [known.inputs, known.outputs, *([True] if known.taps else [])]


@dataclass(frozen=True)
class Design:
    """One point of the design space; equal designs have equal ids, in every run and on every machine.

    Attributes:
        select: What the values are: the "fraction" of a layer's products to keep, or the "threshold", the least
            significance to keep.
        granularity: What is kept or skipped together: "operand", "pair", "block", "kernel", "kernel block" or a
            Granularity, or one of them by layer name, "pair" where none is named. Where nothing is skipped it is
            "pair", so that the exact design is one, and where all layers that skip have the same, it is that.
        values: By layer name; layers that are not named keep everything. A value that keeps everything is left
            out, so the exact design has none.

    Raises:
        OptionError: If one has another value than those above.
    """

    select: Select = "fraction"
    granularity: OfLayers = "pair"
    values: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.select not in EVERYTHING:
            raise OptionError(f"select must be one of {', '.join(EVERYTHING)}, got {self.select!r}")
        highest = 1.0 if self.select == "fraction" else np.inf
        values = {name: float(value) + 0.0 for name, value in sorted(self.values.items())}
        for name, value in values.items():
            if not 0 <= value <= highest or value == np.inf:
                raise OptionError(
                    f"the {self.select} of layer {name!r} must be a number from 0 to "
                    f"{'1' if highest == 1 else 'below infinity'}, got {value}"
                )
        kept = {name: value for name, value in values.items() if value != EVERYTHING[self.select]}
        object.__setattr__(self, "granularity", self._simplest(kept))
        object.__setattr__(self, "values", kept)

    def _simplest(self, kept: Mapping[str, float]) -> OfLayers:
        given = self.granularity
        if not isinstance(given, Mapping):
            uniform = granularity_name(given)
            return uniform if kept else DEFAULT
        found = {name: granularity_name(given.get(name, DEFAULT)) for name in kept}
        if len(set(found.values())) > 1:
            return found
        return next(iter(found.values()), DEFAULT)

    def granularity_of(self, layer: str) -> str | Granularity:
        """What a layer keeps or skips together."""
        if isinstance(self.granularity, Mapping):
            return self.granularity.get(layer, DEFAULT)
        return self.granularity

    def __hash__(self) -> int:
        return hash(self.id)

    @property
    def id(self) -> str:
        """12 hexadecimal digits that name the design."""
        text = json.dumps(self.to_json(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def value(self, layer: str) -> float:
        """The layer's value, also of a layer that keeps everything."""
        return self.values.get(layer, EVERYTHING[self.select])

    def masks(
        self, significance: Mapping[str, np.ndarray], positions: Mapping[str, int]
    ) -> dict[str, np.ndarray]:
        """The masks of all layers.

        Args:
            significance: By layer name, of all layers that skip: arrays of the kernels' shapes.
            positions: By layer name, how many products each operand stands for.

        Returns:
            bool arrays by layer name.

        Raises:
            OptionError: If the design names a layer that is not among them.
        """
        unknown = sorted(set(self.values) - set(significance))
        if unknown:
            raise OptionError(
                f"the design has values for {', '.join(unknown)}, but the layers that skip are "
                f"{', '.join(significance)}: use the model it was found for"
            )
        settings = {name: LayerSetting(self.values[name]) for name in self.values}
        exempt = [name for name in significance if name not in settings]
        selection = Selection(
            select=self.select, granularity=self.granularity, exempt=exempt, layers=settings
        )
        return selection.masks(significance, positions, EVERYTHING[self.select])

    def to_json(self) -> dict[str, Any]:
        """What `from_json` reads: numbers, strings, lists and dicts."""
        given = self.granularity
        if isinstance(given, Mapping):
            granularity: Any = {name: granularity_json(one) for name, one in given.items()}
        else:
            granularity = granularity_json(given)
        return {"select": self.select, "granularity": granularity, "values": dict(self.values)}

    @classmethod
    def from_json(cls, data: Any) -> Design:
        """The design that `to_json` wrote.

        Raises:
            OptionError: If it is none, or a value is none that a design can have.
        """
        try:
            found = _DesignRecord.model_validate(data)
        except ValidationError as error:
            raise OptionError(explain(error)) from error
        given = found.granularity
        if isinstance(given, dict):
            return cls(found.select, {name: _read(one) for name, one in given.items()}, found.values)
        return cls(found.select, _read(given), found.values)


_Stored = str | Annotated[list[PositiveInt | Literal[True]], Field(min_length=2, max_length=3)]


def _read(stored: str | list[Any]) -> str | Granularity:
    if isinstance(stored, str):
        return stored
    return Granularity(int(stored[0]), int(stored[1]), taps=len(stored) > 2)


class _DesignRecord(Record):
    """What `Design.to_json` gives."""

    select: Literal["fraction", "threshold"]
    granularity: _Stored | dict[str, _Stored]
    values: dict[str, float]
