"""Keeps training from making a model worse: restores the best state, and restarts what diverges at a lower rate."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_approx.compat import keras
from keras_approx.training.masking.moves import MoveMasks
from keras_approx.training.tasks import higher_is_better

WINDOW = 10
"""Steps whose mean loss says whether training diverges."""
SLOWER = 0.3
"""What the learning rate is multiplied with when training diverged."""
MOST_RETURNS = 6
"""After so many, training ends."""

Weights = list[np.ndarray]


@dataclass(frozen=True)
class Score:
    """How good a model is on the samples that it is judged by.

    Attributes:
        name: Of the metric; "loss" where none has a name that says which way is better.
        value: Of the metric.
        loss: Decides between equal values.
    """

    name: str
    value: float
    loss: float

    @classmethod
    def of(cls, measured: Mapping[str, float]) -> Score:
        """The score that measurements tell, a metric's by name: the first metric that is known to be good or bad.

        Of several outputs, each with a loss of its own, it is the sum of the losses: no metric stands for all of them.
        """
        several = any(name.endswith("_loss") for name in measured)
        named = [
            name for name in measured if name != "loss" and higher_is_better(name) is not None and not several
        ]
        name = named[0] if named else "loss"
        return cls(name, float(measured[name]), float(measured["loss"]))

    def at_least(self, other: Score | None) -> bool:
        """Whether it is as good as another, or better; what is not a number is worse than anything."""
        return other is None or self._rank >= other._rank

    @property
    def _rank(self) -> tuple[float, float]:
        value = self.value if higher_is_better(self.name) else -self.value
        return _number(value), _number(-self.loss)

    def __str__(self) -> str:
        return f"{self.name} {self.value:.4g}"


def _number(value: float) -> float:
    return value if math.isfinite(value) else -math.inf


class Guard(keras.callbacks.Callback):
    """Sets the learning rate, finds divergence, and gives the best state back in the end.

    Training diverges when losses are not finite, or their mean over some steps rises far above what it was before: then
    the last good state comes back and the learning rate falls to a third. States count from the step on at which masks
    are final: at the start, if nothing moves them later, and after each epoch.

    Args:
        updates: What moves the masks; it must come before this one.
        judge: Measures the model as it is: loss and metrics by name.
        validated: Whether `fit` measures the same itself after each epoch, as "val_" names.
        rate: The learning rate at each step; None leaves the optimizer's own.
        constant_loss: About the loss of a model whose outputs do not depend on its inputs; None if weights of samples
            or classes make losses while training others than those of `judge`.
        say: Takes a line when training diverged.

    Attributes:
        first: The score before the first step; None while masks are not final then.
        best: The best score.
        best_epoch: After how many epochs it was; 0 for the start.
    """

    def __init__(
        self,
        updates: MoveMasks,
        judge: Callable[[Any], Mapping[str, float]],
        *,
        validated: bool,
        rate: Callable[[int], float] | None,
        constant_loss: float | None,
        say: Callable[[str], Any] = print,
    ) -> None:
        super().__init__()
        self._updates = updates
        self._judge = judge
        self._validated = validated
        self._rate = rate
        self._constant_loss = constant_loss
        self._say = say
        self.first: Score | None = None
        self.best: Score | None = None
        self.best_epoch = 0
        self.slower = 1.0
        self.returns = 0
        self._best_weights: Weights = []
        self._good: Weights = []
        self._moves = -1
        self._losses: list[float] = []
        self._sum, self._seen = 0.0, 0
        self._calm: float | None = None
        self._begun = False

    def state(self) -> dict[str, Any]:
        """The state to continue from in another process, as arrays and numbers by name; see `restore`."""
        scores = {
            f"{which}_{name}": value
            for which, score in (("first", self.first), ("best", self.best))
            if score is not None
            for name, value in vars(score).items()
        }
        numbers = {"best_epoch": self.best_epoch, "slower": self.slower, "returns": self.returns}
        calm = {} if self._calm is None else {"calm": self._calm}
        weights = {f"weights_{number}": array for number, array in enumerate(self._best_weights)}
        return {**scores, **numbers, **calm, **weights, "losses": np.array(self._losses)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Goes on from what `state` gave; the model's own state is restored apart, before training begins."""

        def score(which: str) -> Score | None:
            if f"{which}_name" not in state:
                return None
            value, loss = (float(state[f"{which}_{name}"]) for name in ("value", "loss"))
            return Score(str(state[f"{which}_name"]), value, loss)

        self.first, self.best = score("first"), score("best")
        self.best_epoch, self.returns = int(state["best_epoch"]), int(state["returns"])
        self.slower = float(state["slower"])
        self._calm = float(state["calm"]) if "calm" in state else None
        self._losses = [float(loss) for loss in state["losses"]]
        count = sum(name.startswith("weights_") for name in state)
        self._best_weights = [np.asarray(state[f"weights_{number}"]) for number in range(count)]
        self._begun = True

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._sum, self._seen = 0.0, 0
        if not self._begun and self._updates.done:
            self.first = Score.of(self._judge(self.model))
            self._keep(self.first, 0)
        self._begun = True
        self._good, self._moves = self.model.get_weights(), self._updates.moves

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        if self._updates.moves != self._moves:
            self._good, self._moves = self.model.get_weights(), self._updates.moves
            self._losses, self._calm = [], None
        if self._rate is not None:
            step = int(self.model.optimizer.iterations.numpy())
            self.model.optimizer.learning_rate = self.slower * self._rate(step)

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        # Keras gives the mean of the epoch so far.
        mean, self._seen = float((logs or {})["loss"]), self._seen + 1
        loss, self._sum = mean * self._seen - self._sum, mean * self._seen
        self._losses.append(loss)
        if not math.isfinite(loss):
            self._go_back(loss)
        elif len(self._losses) == WINDOW:
            found = float(np.mean(self._losses))
            self._losses = []
            if self._calm is None:
                lost = self._constant_loss is not None and self.first and found > self._limit(self.first.loss)
                self._calm = self.first.loss if self.first and lost else found
            if found > self._limit(self._calm):
                self._go_back(found)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        measured = self._measured(logs or {})
        if not math.isfinite(measured["loss"]):
            self._go_back(measured["loss"])
        elif self._updates.done:
            score = Score.of(measured)
            if score.at_least(self.best):
                self._keep(score, epoch + 1)

    def on_train_end(self, logs: Any = None) -> None:
        if getattr(self.model.optimizer, "use_ema", False) and self._updates.done:
            # Keras has just put the averaged weights in place: they are one more state.
            score = Score.of(self._judge(self.model))
            if score.at_least(self.best):
                self._keep(score, self.params["epochs"])
        if self._best_weights:
            self.model.set_weights(self._best_weights)

    def _measured(self, logs: Mapping[str, Any]) -> dict[str, float]:
        if not self._validated:
            return dict(self._judge(self.model))
        return {name[4:]: float(value) for name, value in logs.items() if name.startswith("val_")}

    def _keep(self, score: Score, epoch: int) -> None:
        self.best, self.best_epoch, self._best_weights = score, epoch, self.model.get_weights()

    def _limit(self, calm: float) -> float:
        """Twice the loss before, as long as that means something; and no more than what says nothing of its inputs."""
        constant = self._constant_loss
        if constant is None:
            return 2 * calm
        return min(max(2 * calm, calm + constant / 4), max(0.95 * constant, 1.25 * calm))

    def _go_back(self, loss: float) -> None:
        optimizer = self.model.optimizer
        step = int(optimizer.iterations.numpy())
        self.returns += 1
        self.model.set_weights(self._good)
        kept = (id(optimizer.iterations), id(optimizer.learning_rate))
        for variable in optimizer.variables:
            if id(variable) not in kept:  # momenta
                variable.assign(np.zeros(variable.shape))
        self.model.reset_metrics()
        self._losses, self._sum, self._seen = [], 0.0, 0
        before = "" if self._calm is None else f", {self._calm:.3g} before"
        told = f"training diverged before step {step} (loss {loss:.3g}{before}): back to the last good state"
        if self.returns > MOST_RETURNS or not self._slow_down():
            self.model.stop_training = True
            self._say(f"{told}, where training ends")
        else:
            self._say(f"{told}, from which the learning rate is {SLOWER:g} of what it was")

    def _slow_down(self) -> bool:
        """Whether the learning rate could be lowered: a schedule that an optimizer was given cannot."""
        self.slower *= SLOWER
        if self._rate is None:
            optimizer = self.model.optimizer
            try:
                optimizer.learning_rate = SLOWER * float(optimizer.learning_rate)
            except TypeError:
                return False
        return True
