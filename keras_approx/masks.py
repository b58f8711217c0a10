"""From significance to masks: which operands of each layer are kept. Pure NumPy.

Operands are dropped in groups, all or none, and a group's significance is the sum of its operands'. With
granularity "operand" each is its own group. With "pair" a group is what one dual multiply-accumulate
instruction takes: input channels 2k and 2k+1 at one kernel position (inputs 2k and 2k+1 of a dense layer); an
odd last channel is alone. So significances of groups are significances per instruction, and compare.

Arrays are of a kernel's shape, (kernel height, kernel width, input channels, output channels) or (inputs,
outputs); masks are bool, True where a product is kept.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from keras_approx.errors import MaskError, OptionError

GROUP_SIZES: Mapping[str, int] = {"operand": 1, "pair": 2}
SCOPES = ("global", "layer")


def group_size(granularity: str) -> int:
    """How many operands of neighbouring input channels a group has.

    Raises:
        OptionError: If the granularity is unknown.
    """
    if granularity not in GROUP_SIZES:
        raise OptionError(f"granularity must be one of {', '.join(GROUP_SIZES)}, got {granularity!r}")
    return GROUP_SIZES[granularity]


def group_sums(values: np.ndarray, granularity: str) -> np.ndarray:
    """Sums an array of a kernel's shape over groups: the shape with ceil(channels / size) input channels."""
    size = group_size(granularity)
    padding = [(0, 0)] * values.ndim
    padding[-2] = (0, -values.shape[-2] % size)
    padded = np.pad(values, padding)
    return padded.reshape(*values.shape[:-2], -1, size, values.shape[-1]).sum(axis=-2)


def spread(groups: np.ndarray, channels: int, granularity: str) -> np.ndarray:
    """Gives every operand the value of its group; `channels` is the kernel's number of input channels."""
    return np.repeat(groups, group_size(granularity), axis=-2)[..., :channels, :]


def threshold_mask(significance: np.ndarray, threshold: float, granularity: str = "pair") -> np.ndarray:
    """Keeps the groups whose significance is at least the threshold."""
    keep = group_sums(significance, granularity) >= threshold
    return spread(keep, significance.shape[-2], granularity)


def fraction_masks(
    significance: Mapping[str, np.ndarray],
    positions: Mapping[str, int],
    fraction: float,
    *,
    granularity: str = "pair",
    scope: str = "global",
    cost_exponent: float = 0.5,
) -> dict[str, np.ndarray]:
    """Keeps the most significant groups that make up at most a fraction of the products.

    A group takes an instruction at each position of its layer's output. Groups are ranked by significance /
    positions^cost_exponent: otherwise layers that cost little, such as dense ones, would lose nearly
    everything to save nothing. They are taken from the first down until the next one would exceed the
    fraction; equal ones in layer and kernel order.

    Args:
        significance: By layer name.
        positions: By layer name, how many products each operand stands for; see registry.positions.
        fraction: Of products to keep, 0 to 1.
        granularity: "operand" or "pair".
        scope: "global": one ranking of all layers' groups. "layer": the fraction of each layer.
        cost_exponent: 0 ranks by significance alone, which empties wide late layers, 1 by significance per
            instruction, which empties early ones.

    Returns:
        Masks by layer name.

    Raises:
        OptionError: If the fraction, granularity or scope is none of the above.
    """
    if not 0 <= fraction <= 1:
        raise OptionError(f"the fraction of products to keep must be between 0 and 1, got {fraction}")
    if scope not in SCOPES:
        raise OptionError(f"scope must be one of {', '.join(SCOPES)}, got {scope!r}")
    ranks = {name: values / positions[name] ** cost_exponent for name, values in significance.items()}
    if scope == "global":
        return _fraction_masks(ranks, positions, fraction, granularity)
    return {
        name: _fraction_masks({name: values}, positions, fraction, granularity)[name]
        for name, values in ranks.items()
    }


def _fraction_masks(
    significance: Mapping[str, np.ndarray], positions: Mapping[str, int], fraction: float, granularity: str
) -> dict[str, np.ndarray]:
    if not significance:
        return {}
    ranks, products = [], []
    for name, values in significance.items():
        ranks.append(group_sums(values, granularity).ravel())
        products.append(group_sums(np.full(values.shape, positions[name], np.int64), granularity).ravel())
    order = np.argsort(-np.concatenate(ranks), kind="stable")
    total = np.cumsum(np.concatenate(products)[order])
    # Half a product of tolerance: the fraction times the total need not be exact in floating point.
    count = np.searchsorted(total, fraction * total[-1] + 0.5, side="right")
    kept = np.zeros(len(order), np.bool_)
    kept[order[:count]] = True
    masks, start = {}, 0
    for (name, values), rank in zip(significance.items(), ranks, strict=True):
        shape = (*values.shape[:-2], -1, values.shape[-1])
        groups = kept[start : start + len(rank)].reshape(shape)
        masks[name] = spread(groups, values.shape[-2], granularity)
        start += len(rank)
    return masks


def kept_fraction(masks: Mapping[str, np.ndarray], positions: Mapping[str, int]) -> float:
    """The share of products that masks keep."""
    kept = sum(int(mask.sum()) * positions[name] for name, mask in masks.items())
    return kept / sum(mask.size * positions[name] for name, mask in masks.items())


def save_masks(path: str | Path, masks: Mapping[str, np.ndarray]) -> None:
    """Writes masks to an .npz file, one bool array by layer name."""
    with open(path, "wb") as file:
        arrays: dict[str, Any] = {name: np.asarray(mask, np.bool_) for name, mask in masks.items()}
        np.savez_compressed(file, **arrays)


def load_masks(path: str | Path) -> dict[str, np.ndarray]:
    """Reads what save_masks wrote.

    Raises:
        MaskError: If the file is not an .npz of bool arrays.
        OSError: If it cannot be read.
    """
    with open(path, "rb") as file:
        try:
            archive = np.load(file, allow_pickle=False)
            if isinstance(archive, np.ndarray):
                raise ValueError("it holds one array without a name")
            masks = {name: archive[name] for name in archive.files}
        except (ValueError, EOFError, zipfile.BadZipFile) as error:
            raise MaskError(
                f"{path} is not an .npz file of masks, as save_masks writes it: {error}"
            ) from error
    wrong = [name for name, mask in masks.items() if mask.dtype != np.bool_]
    if wrong:
        raise MaskError(f"{path} has arrays that are not bool, so they are no masks: {', '.join(wrong)}")
    return masks
