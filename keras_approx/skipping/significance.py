"""How much each operand matters to its output: pure functions of weights and activation statistics.

An operand is one (weight, activation) product of a dot product. Every metric gives a non-negative array of
the kernel's shape that does not change with the scale of an output channel, so that layers and channels
compare: most give shares of the channel's total.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from keras_approx.errors import NotCalibratedError, OptionError

RELATIVE_FLOOR = 2.0**-8
"""A sum that cancels to less than this share of its terms' magnitudes is taken to be this large: below one step of an
int8 output, |w a| / |sum w a| says nothing but how near to zero the sum came."""


@dataclass(frozen=True)
class OperandStatistics:
    """What calibration measures on the inputs of one layer, over samples and output positions p.

    Attributes:
        mean: E[a], float32, the kernel's shape without the output channels; with them where the layer has groups, whose
            output channels have inputs of their own.
        mean_square: E[a^2], like mean.
        relative: E[|a| / |sum w a|], float32, the kernel's shape.
        gradient: Mean over batches of |dL/dw|, float32, the kernel's shape; L is the mean loss of a batch and
            w the weight as it is used, so skipped weights have the gradient they would have as 0. None if
            calibration had no loss.
    """

    mean: np.ndarray
    mean_square: np.ndarray
    relative: np.ndarray
    gradient: np.ndarray | None = None


Metric = Callable[[np.ndarray, OperandStatistics], np.ndarray]


def by_output(values: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Statistics of inputs with an axis for output channels, for products with a kernel."""
    return values if values.ndim == kernel.ndim else values[..., np.newaxis]


def _shares(values: np.ndarray) -> np.ndarray:
    """Divides by the sum over each output channel; a channel of zeros stays zero."""
    total = values.reshape(-1, values.shape[-1]).sum(axis=0)
    return np.divide(values, total, out=np.zeros_like(values), where=total != 0)


def relative(kernel: np.ndarray, statistics: OperandStatistics) -> np.ndarray:
    """Mean over samples and positions of |w a| / |sum w a|: how large a term is beside the sum it goes into.

    The metric of the approximate-kernels toolkit (Armeniakos, Mentzos, Soudris, 2024). Unlike the others it
    is not a share: terms that cancel have values above one.
    """
    return np.abs(kernel) * statistics.relative


def expected(kernel: np.ndarray, statistics: OperandStatistics) -> np.ndarray:
    """|w E[a]| / sum |w E[a]|: a term's share of the expected output; blind to terms that average to 0."""
    return _shares(np.abs(kernel * by_output(statistics.mean, kernel)))


def energy(kernel: np.ndarray, statistics: OperandStatistics) -> np.ndarray:
    """w^2 E[a^2], as a share: the mean squared error that skipping the term alone adds to the output."""
    return _shares(kernel**2 * by_output(statistics.mean_square, kernel))


def variance(kernel: np.ndarray, statistics: OperandStatistics) -> np.ndarray:
    """w^2 Var[a], as a share: the mean squared error of skipping the term if its mean goes to the bias."""
    spread = np.maximum(statistics.mean_square - statistics.mean**2, 0)
    return _shares(kernel**2 * by_output(spread, kernel))


def taylor(kernel: np.ndarray, statistics: OperandStatistics) -> np.ndarray:
    """|w dL/dw|: how much skipping the term changes the loss, to first order.

    The criterion of Molchanov et al. (2017, 2019), here for single weights; the magnitude is taken for each
    batch, where gradients that cancel over all data at a minimum have not done so yet. Not a share, nor does
    it count a weight's positions: with a cost exponent of 1 a global ranking is by loss per instruction.

    Raises:
        NotCalibratedError: If calibration had no loss.
    """
    if statistics.gradient is None:
        raise NotCalibratedError(
            "significance 'taylor' needs gradients: give keras_approx.calibrate, or what calibrates again "
            "while training, loss= and data with labels"
        )
    return np.abs(kernel) * statistics.gradient


METRICS: Mapping[str, Metric] = {
    "relative": relative,
    "expected": expected,
    "energy": energy,
    "variance": variance,
    "taylor": taylor,
}

ELIMINATION = "elimination"
"""Of `fine_tune` and `explore` alone, and no metric: it needs more than the statistics of operands; see
keras_approx.skipping.elimination."""


def get_metric(metric: str | Metric) -> Metric:
    """A metric by name, or any function of the same signature as it is.

    Raises:
        OptionError: If there is no metric of that name.
    """
    if callable(metric):
        return metric
    if metric == ELIMINATION:
        raise OptionError(
            "significance 'elimination' refits weights: use keras_approx.eliminate, or fine_tune with "
            "skipping=Eliminate()"
        )
    if metric not in METRICS:
        raise OptionError(f"significance must be one of {', '.join(METRICS)} or a function, got {metric!r}")
    return METRICS[metric]


def significance(metric: str | Metric, kernel: np.ndarray, statistics: OperandStatistics) -> np.ndarray:
    """The significance of every operand of a layer.

    Args:
        metric: A name in METRICS, or a function of (kernel, statistics).
        kernel: Weights, float32, output channels last.
        statistics: What was measured on the layer's inputs.

    Returns:
        Array of the kernel's shape, finite and not negative.

    Raises:
        OptionError: If the metric is unknown, or gives something else.
        NotCalibratedError: If it needs statistics that were not measured.
    """
    values = np.asarray(get_metric(metric)(kernel, statistics))
    if values.shape != kernel.shape or not np.all(np.isfinite(values)) or np.any(values < 0):
        raise OptionError(
            f"significance must give finite values >= 0 of shape {kernel.shape}, got shape {values.shape} "
            f"with values from {values.min(initial=np.inf)} to {values.max(initial=-np.inf)}"
        )
    return values
