"""From significance to masks: which operands of each layer are kept. Pure NumPy.

Operands are dropped in groups, all or none. With granularity "operand" each is its own group. With "pair" a
group is what one dual multiply-accumulate instruction takes: input channels 2k and 2k+1 at one kernel position
(inputs 2k and 2k+1 of a dense layer); an odd last channel is alone. With "block" it is a pair for 4 output
channels 4k to 4k+3. Other extents are given as a Granularity. Significances of groups are per instruction.

Arrays are of a kernel's shape, (kernel height, kernel width, input channels, output channels) or (inputs,
outputs); masks are bool, True where a product is kept.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from keras_approx.errors import MaskError, OptionError
from keras_approx.granularity import Granularity, group_significance, group_sums, spread

SCOPES = ("global", "layer")


def threshold_mask(
    significance: np.ndarray, threshold: float, granularity: str | Granularity = "pair"
) -> np.ndarray:
    """Keeps the groups whose significance is at least the threshold."""
    keep = group_significance(significance, granularity) >= threshold
    return spread(keep, significance.shape, granularity)


def fraction_masks(
    significance: Mapping[str, np.ndarray],
    positions: Mapping[str, int],
    fraction: float,
    *,
    granularity: str | Granularity = "pair",
    scope: str = "global",
    cost_exponent: float = 0.5,
) -> dict[str, np.ndarray]:
    """Keeps the most significant groups that make up at most a fraction of the products.

    A pair takes an instruction at each position of its layer's output. Groups are ranked by significance /
    positions^cost_exponent: otherwise layers that cost little, such as dense ones, would lose nearly
    everything to save nothing. They are taken from the first down until the next one would exceed the
    fraction; equal ones in layer and kernel order.

    Args:
        significance: By layer name.
        positions: By layer name, how many products each operand stands for; see registry.positions.
        fraction: Of products to keep, 0 to 1.
        granularity: "operand", "pair", "block" or a Granularity.
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
    significance: Mapping[str, np.ndarray],
    positions: Mapping[str, int],
    fraction: float,
    granularity: str | Granularity,
) -> dict[str, np.ndarray]:
    if not significance:
        return {}
    ranks, products, shapes = [], [], []
    for name, values in significance.items():
        groups = group_significance(values, granularity)
        shapes.append(groups.shape)
        ranks.append(groups.ravel())
        products.append(group_sums(np.full(values.shape, positions[name], np.int64), granularity).ravel())
    order = np.argsort(-np.concatenate(ranks), kind="stable")
    total = np.cumsum(np.concatenate(products)[order])
    # Half a product of tolerance: the fraction times the total need not be exact in floating point.
    count = np.searchsorted(total, fraction * total[-1] + 0.5, side="right")
    kept = np.zeros(len(order), np.bool_)
    kept[order[:count]] = True
    masks, start = {}, 0
    for (name, values), shape in zip(significance.items(), shapes, strict=True):
        size = math.prod(shape)
        masks[name] = spread(kept[start : start + size].reshape(shape), values.shape, granularity)
        start += size
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
