"""Groups of operands that are kept or skipped together. Pure NumPy.

Arrays are of a kernel's shape, (kernel height, kernel width, input channels, output channels) or (inputs,
outputs). A group lies at one kernel position or has all of them; at the ends of both channel axes groups may be
smaller. A dense layer has one position.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from types import MappingProxyType

import numpy as np

from keras_approx.errors import OptionError


@dataclass(frozen=True)
class Granularity:
    """The extent of a group.

    Attributes:
        inputs: Neighboring input channels, counted from the first.
        outputs: Neighboring output channels, counted from the first.
        taps: Whether a group has all positions of the kernel; otherwise it has one.

    Raises:
        OptionError: If an extent is not a positive integer, or `taps` is not a bool.
    """

    inputs: int = 1
    outputs: int = 1
    taps: bool = False

    def __post_init__(self) -> None:
        for extent in (self.inputs, self.outputs):
            if not isinstance(extent, int) or extent < 1:
                raise OptionError(f"a granularity must have positive integers as extents, got {self}")
        if not isinstance(self.taps, bool):
            raise OptionError(f"taps of a granularity must be True or False, got {self.taps!r}")


GRANULARITIES: Mapping[str, Granularity] = MappingProxyType(
    {
        "operand": Granularity(),
        # What one dual multiply-accumulate instruction takes.
        "pair": Granularity(inputs=2),
        # A pair for all channels that a kernel holds in registers at once, which share the load of its inputs.
        "block": Granularity(inputs=2, outputs=4),
        # The kernels from two input channels to one output channel: a pair at every point of a Winograd transform.
        "kernel": Granularity(inputs=2, taps=True),
        "kernel block": Granularity(inputs=2, outputs=4, taps=True),
    }
)
DEFAULT = "pair"

Granularities = str | Granularity | Mapping[str, str | Granularity]
"""One for all layers, or by layer name or pattern: the first that matches counts, and DEFAULT where none does."""


def get_granularity(granularity: str | Granularity) -> Granularity:
    """A granularity by name, or one as it is.

    Raises:
        OptionError: If there is none of that name.
    """
    if isinstance(granularity, Granularity):
        return granularity
    if not isinstance(granularity, str) or granularity not in GRANULARITIES:
        raise OptionError(
            f"granularity must be one of {', '.join(GRANULARITIES)} or a Granularity, got {granularity!r}"
        )
    return GRANULARITIES[granularity]


def granularity_name(granularity: str | Granularity) -> str | Granularity:
    """The granularity's name, or the granularity if it has none.

    Raises:
        OptionError: If there is none of that name.
    """
    extent = get_granularity(granularity)
    return next((name for name, known in GRANULARITIES.items() if known == extent), extent)


def refines(fine: str | Granularity, coarse: str | Granularity) -> bool:
    """Whether every group of the coarse granularity is made of whole groups of the fine one.

    Raises:
        OptionError: If there is none of that name.
    """
    one, other = get_granularity(fine), get_granularity(coarse)
    return (
        other.inputs % one.inputs == 0 and other.outputs % one.outputs == 0 and (other.taps or not one.taps)
    )


def layer_granularities(granularities: Granularities, names: Sequence[str]) -> dict[str, str | Granularity]:
    """The granularity of each layer, by its name if it has one.

    Args:
        granularities: One, or by layer name or pattern.
        names: Of the layers that skip.

    Raises:
        OptionError: If one is unknown, or a pattern is the first to match no layer.
    """
    if not isinstance(granularities, Mapping):
        return dict.fromkeys(names, granularity_name(granularities))
    found = [granularity_name(granularity) for granularity in granularities.values()]
    first = first_matches(list(granularities), names)
    return {name: DEFAULT if number is None else found[number] for name, number in first.items()}


def matches(name: str, pattern: str) -> bool:
    """Whether a pattern such as "conv*" is for a layer; a name is for its own layer, whatever its characters mean."""
    return name == pattern or fnmatchcase(name, pattern)


def first_matches(patterns: Sequence[str], names: Sequence[str]) -> dict[str, int | None]:
    """For each layer the number of the first pattern that matches its name, or None.

    Raises:
        OptionError: If a pattern is the first to match no layer.
    """
    first = {
        name: next((number for number, pattern in enumerate(patterns) if matches(name, pattern)), None)
        for name in names
    }
    for number, pattern in enumerate(patterns):
        if number not in first.values():
            others = [name for name in names if matches(name, pattern)]
            reason = f"only {', '.join(others)}, which an earlier one does" if others else "no layer"
            raise OptionError(f"pattern {pattern!r} matches {reason}; layers that skip: {', '.join(names)}")
    return first


def group_sums(values: np.ndarray, granularity: str | Granularity) -> np.ndarray:
    """Sums an array of a kernel's shape over groups.

    Returns:
        Array of as many dimensions: along both channel axes as many entries as there are groups, and where a group
        has all positions, one along each of the others.
    """
    extent = get_granularity(granularity)
    padding = [(0, 0)] * values.ndim
    padding[-2] = (0, -values.shape[-2] % extent.inputs)
    padding[-1] = (0, -values.shape[-1] % extent.outputs)
    padded = np.pad(values, padding)
    rows, columns = padded.shape[-2] // extent.inputs, padded.shape[-1] // extent.outputs
    shape = (*values.shape[:-2], rows, extent.inputs, columns, extent.outputs)
    sums = padded.reshape(shape).sum(axis=(-3, -1))
    return sums.sum(axis=tuple(range(sums.ndim - 2)), keepdims=True) if extent.taps else sums


def kept_pairs(mask: np.ndarray) -> int:
    """How many pairs a mask keeps, of which at least one operand."""
    return int(np.count_nonzero(group_sums(mask, "pair")))


def group_instructions(shape: tuple[int, ...], granularity: str | Granularity) -> np.ndarray:
    """How many sums the groups of a kernel of this shape take part in: their positions times their output channels.

    Where a group has two input channels that is its dual multiply-accumulate instructions at one output position.

    Returns:
        int array, one for each group along the last axis.
    """
    extent = get_granularity(granularity)
    outputs = np.minimum(extent.outputs, shape[-1] - np.arange(0, shape[-1], extent.outputs))
    return outputs * (int(np.prod(shape[:-2])) if extent.taps else 1)


def group_significance(values: np.ndarray, granularity: str | Granularity) -> np.ndarray:
    """Significance of groups: the sum over input channels, averaged over positions and output channels.

    A dual multiply-accumulate takes two input channels of one output channel at one position, so this is what an
    instruction gives, and groups of every extent compare.
    """
    return group_sums(values, granularity) / group_instructions(values.shape, granularity)


def spread(groups: np.ndarray, shape: tuple[int, ...], granularity: str | Granularity) -> np.ndarray:
    """Gives every operand of a kernel of this shape the value of its group."""
    extent = get_granularity(granularity)
    repeated = np.repeat(np.repeat(groups, extent.inputs, axis=-2), extent.outputs, axis=-1)
    return np.broadcast_to(repeated[..., : shape[-2], : shape[-1]], shape).copy()


def group_rows(shape: tuple[int, ...], granularity: str | Granularity) -> np.ndarray:
    """The operands of one output channel by the groups they belong to.

    Args:
        shape: Of a kernel.
        granularity: What a group is; its output channels do not matter.

    Returns:
        int array (groups, operands of one): numbers of operands in the kernel's order, -1 where a smaller group has
        no more. Groups are in the order of group_sums.
    """
    extent = get_granularity(granularity)
    channels = shape[-2] + -shape[-2] % extent.inputs
    numbers = np.full((int(np.prod(shape[:-2])), channels), -1)
    numbers[:, : shape[-2]] = np.arange(int(np.prod(shape[:-1]))).reshape(-1, shape[-2])
    if extent.taps:
        by_channel = numbers.reshape(len(numbers), -1, extent.inputs).swapaxes(0, 1)
        return np.ascontiguousarray(by_channel).reshape(-1, len(numbers) * extent.inputs)
    return numbers.reshape(-1, extent.inputs)
