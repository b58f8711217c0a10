"""Inputs of an exported network, and class numbers, from .npy and .npz files."""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np

from export.artifact.manifest import Manifest, TensorInfo
from export.commands.inputs.arrays import read_npy, read_npz
from export.commands.inputs.samples import class_numbers
from export.commands.program.options import add_inputs_array
from export.errors import InputError

_OUTSIDE = 0.2  # share of values beyond the range that scaled inputs do not reach


def add_arrays(parser: argparse.ArgumentParser) -> None:
    """Adds the options that name arrays of .npz files; `read_inputs` reads them."""
    add_inputs_array(parser)
    parser.add_argument(
        "--labels-array",
        metavar="NAME",
        help="array of class numbers in .npz files, to count right answers (default: labels, if there is one)",
    )


def read_inputs(
    options: argparse.Namespace, manifest: Manifest, say: Callable[[str], None], *, labels: bool = True
) -> tuple[list[np.ndarray], np.ndarray | None]:
    """Inputs and labels of the file that --inputs names.

    Args:
        options: With `inputs`, `inputs_array` and, for labels, `labels_array`.
        manifest: Of the network.
        say: Is told if the inputs look as if they were not scaled.
        labels: Whether to look for labels.

    Returns:
        For each input of the network int8 [n, *shape]; class numbers [n], or None if there are none, or several
        outputs and no word that the labels are to be read.

    Raises:
        InputError: The file cannot be read, or an array is missing or does not fit the network.
    """
    names = [options.inputs_array] if len(manifest.inputs) == 1 else [info.name for info in manifest.inputs]
    asked = options.labels_array if labels else None
    wanted = [*names, *([asked] if asked is not None else [])]
    optional = ["labels"] if labels and asked is None and len(manifest.outputs) == 1 else []
    if str(options.inputs).endswith(".npz"):
        found = read_npz(options.inputs, wanted, optional)
    elif len(wanted) > 1:
        what = "labels" if asked is not None else f"the inputs {', '.join(names)}"
        raise InputError(f"{what} come in .npz files: expected one for --inputs, got {options.inputs!r}")
    else:
        found = {names[0]: read_npy(options.inputs)}
    for name in names:
        if not found[name].size:
            raise InputError(f"expected inputs in the array {name!r} of {options.inputs!r}, got none")
    inputs = [_quantized(found[name], info, say) for name, info in zip(names, manifest.inputs, strict=True)]
    name = asked or "labels"
    if name in names or name not in found:
        return inputs, None
    return inputs, class_numbers(options.inputs, name, found[name], len(inputs[0]))


def _quantized(values: np.ndarray, info: TensorInfo, say: Callable[[str], None]) -> np.ndarray:
    """int8 [n, *shape] of int8, which stays as it is, or of any other numbers, which are real."""
    if values.dtype.kind in "iu" and values.dtype != np.int8:
        values = values.astype(np.float32)
    batch = info.batch(values).reshape(-1, *info.shape)
    if values.dtype != np.int8:
        low, high = ((limit - info.zero_point) * info.scale for limit in (-128, 127))
        outside = np.mean((values < low - info.scale) | (values > high + info.scale))
        if outside > _OUTSIDE:
            say(
                f"warning: {outside:.0%} of the values lie outside {low:.4g} .. {high:.4g}, all that the network can "
                "tell apart: scale the inputs as those it was trained with"
            )
    return batch
