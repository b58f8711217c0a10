"""Groups of operands that are kept or skipped together. Pure NumPy.

Arrays are of a kernel's shape, (kernel height, kernel width, input channels, output channels) or (inputs,
outputs). A group lies at one kernel position; at the ends of both channel axes groups may be smaller.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from keras_approx.errors import OptionError


@dataclass(frozen=True)
class Granularity:
    """The extent of a group.

    Attributes:
        inputs: Neighbouring input channels, counted from the first.
        outputs: Neighbouring output channels, counted from the first.

    Raises:
        OptionError: If one is not a positive integer.
    """

    inputs: int = 1
    outputs: int = 1

    def __post_init__(self) -> None:
        for extent in (self.inputs, self.outputs):
            if not isinstance(extent, int) or extent < 1:
                raise OptionError(f"a granularity must have positive integers as extents, got {self}")


GRANULARITIES: Mapping[str, Granularity] = {
    "operand": Granularity(),
    # What one dual multiply-accumulate instruction takes.
    "pair": Granularity(inputs=2),
    # A pair for all channels that a kernel holds in registers at once, which share the load of its inputs.
    "block": Granularity(inputs=2, outputs=4),
}


def get_granularity(granularity: str | Granularity) -> Granularity:
    """A granularity by name, or one as it is.

    Raises:
        OptionError: If there is none of that name.
    """
    if isinstance(granularity, Granularity):
        return granularity
    if granularity not in GRANULARITIES:
        raise OptionError(
            f"granularity must be one of {', '.join(GRANULARITIES)} or a Granularity, got {granularity!r}"
        )
    return GRANULARITIES[granularity]


def group_sums(values: np.ndarray, granularity: str | Granularity) -> np.ndarray:
    """Sums an array of a kernel's shape over groups: as many channels as there are groups along both axes."""
    extent = get_granularity(granularity)
    padding = [(0, 0)] * values.ndim
    padding[-2] = (0, -values.shape[-2] % extent.inputs)
    padding[-1] = (0, -values.shape[-1] % extent.outputs)
    padded = np.pad(values, padding)
    rows, columns = padded.shape[-2] // extent.inputs, padded.shape[-1] // extent.outputs
    shape = (*values.shape[:-2], rows, extent.inputs, columns, extent.outputs)
    return padded.reshape(shape).sum(axis=(-3, -1))


def group_outputs(shape: tuple[int, ...], granularity: str | Granularity) -> np.ndarray:
    """How many output channels the groups of a kernel of this shape have: int, one for each along that axis."""
    size = get_granularity(granularity).outputs
    return np.minimum(size, shape[-1] - np.arange(0, shape[-1], size))


def group_significance(values: np.ndarray, granularity: str | Granularity) -> np.ndarray:
    """Significance of groups: the sum over input channels, averaged over output channels.

    A dual multiply-accumulate takes two input channels of one output channel, so this is what an instruction
    gives, and groups of every extent compare.
    """
    return group_sums(values, granularity) / group_outputs(values.shape, granularity)


def spread(groups: np.ndarray, shape: tuple[int, ...], granularity: str | Granularity) -> np.ndarray:
    """Gives every operand of a kernel of this shape the value of its group."""
    extent = get_granularity(granularity)
    repeated = np.repeat(np.repeat(groups, extent.inputs, axis=-2), extent.outputs, axis=-1)
    return repeated[..., : shape[-2], : shape[-1]]
