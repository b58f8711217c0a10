"""Options of `fine_tune` about skipping and about the teacher. Pure data, which imports no TensorFlow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass
from numbers import Real
from typing import Any

from keras_approx.checks import check_kept, check_readable_again, check_whole
from keras_approx.errors import OptionError
from keras_approx.skipping.schedules import AnySchedule
from keras_approx.skipping.selection import Select, Selection
from keras_approx.skipping.significance import Metric, get_metric

Prices = Mapping[str, float] | Callable[[Any], Mapping[str, float]]
"""Cycles of one kept pair by layer name, or a function of the model that gives them."""


@dataclass(frozen=True)
class Eliminate(Selection):
    """Products are eliminated and what is left is fitted, before the first step or in rounds; see `eliminate`.

    Attributes:
        kept: The fraction of products in the end, 0 to 1; with select="budget" cycles. With 1 nothing is skipped: that
            is the exact int8 model, to compare with.
        rounds: In how many rounds, over the first 40 % of the steps; with 1 all before the first step. More take
            longer, and gained nothing beyond chance on our networks.
        batches: How many of the first batches elimination looks at; their inputs stay in memory.
        prices: For budgets; see `measure_prices`.
        in_sequence: Whether each layer is fitted for the inputs that the layers before it leave; see `eliminate`.

    Raises:
        OptionError: If one is out of range, or options do not go together.
    """

    kept: float = 0.25
    _: KW_ONLY
    rounds: int = 1
    batches: int = 40
    prices: Mapping[str, float] | None = None
    in_sequence: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.kept, Real):
            raise OptionError(
                f"elimination has its own schedule: give kept= as a fraction, not as {self.kept!r}"
            )
        if self.select == "threshold":
            raise OptionError(
                "what is eliminated together has no threshold of its own: give a fraction or a budget"
            )
        if self.select == "fraction":
            check_kept(self.kept)
        check_whole("rounds", self.rounds)
        check_whole("batches", self.batches)
        if self.rounds > 1 and self.select == "budget":
            raise OptionError("rounds of elimination go by fractions: with a budget leave rounds= out")
        _check_prices(self.select, self.prices)


@dataclass(frozen=True)
class Rank(Selection):
    """Products are ranked by a metric repeatedly while training; see callbacks.UpdateSkipMasks.

    Attributes:
        significance: Name of a metric, or a function; see keras_approx.significance.
        kept: The fraction of products in the end, reached along a cubic ramp over the first half of the steps; or a
            schedule for what `select` says.
        frequency: Steps between updates; None for a tenth of the schedule's length, but at most 50.
        batches: How many of the first batches measure statistics and activation ranges before training.
        prices: For budgets; see `measure_prices`.
        data: If given, the model is calibrated with it again before each update: no iterator, which can be read once.
        loss: For `data` with labels: of which to measure gradients.

    Raises:
        OptionError: If one is out of range, or options do not go together.
        CalibrationError: If `data` cannot be read several times.

    Example:
        Rank("energy", keras_approx.schedules.Ramp(1.0, 0.3), exempt=["logits"])
    """

    significance: str | Metric = "energy"
    kept: AnySchedule = 0.25
    _: KW_ONLY
    frequency: int | None = None
    batches: int = 10
    prices: Prices | None = None
    data: Any = None
    loss: Any = None

    def __post_init__(self) -> None:
        super().__post_init__()
        get_metric(self.significance)
        if isinstance(self.kept, Real):
            if self.select != "fraction":
                raise OptionError(
                    f"with select={self.select!r} give kept= as a schedule of {self.select}s, not as {self.kept}"
                )
            check_kept(self.kept)
        check_whole("batches", self.batches)
        check_updates(
            self.select, frequency=self.frequency, prices=self.prices, data=self.data, loss=self.loss
        )


def check_updates(select: Select, *, frequency: Any, prices: Prices | None, data: Any, loss: Any) -> None:
    """Checks the options of repeated updates; see callbacks.UpdateSkipMasks.

    Raises:
        OptionError: If one is out of range, or they do not go together.
        CalibrationError: If the data cannot be read several times.
    """
    if frequency is not None:
        check_whole("frequency", frequency)
    _check_prices(select, prices)
    if loss is not None and data is None:
        raise OptionError("loss is for calibrating with data while training: give data= too")
    check_readable_again(data)


def _check_prices(select: Select, prices: Prices | None) -> None:
    if (prices is not None) != (select == "budget"):
        raise OptionError(
            "prices are for a budget, and a budget needs them, as keras_approx.measure_prices gives them; select is "
            f"{select!r}"
        )


@dataclass(frozen=True)
class Distillation:
    """Learning from a teacher beside the labels; see `distill`.

    Attributes:
        weight: Of the teacher, 0 to 1; 0 for none.
        temperature: Divides logits; higher ones show more of how the teacher ranks wrong classes.
        teacher: What to learn from; None for the model as given, which is not quantized and, unless masks were set,
            skips nothing.

    Raises:
        OptionError: If one is out of range.
    """

    weight: float = 0.5
    temperature: float = 3.0
    teacher: Any = None

    def __post_init__(self) -> None:
        if not 0 < self.temperature < float("inf") or not 0 <= self.weight <= 1:
            raise OptionError(
                f"expected a temperature above 0 and a weight between 0 and 1, got {self.temperature} and {self.weight}"
            )
