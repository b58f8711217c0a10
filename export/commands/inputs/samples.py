"""Samples from .npz files, checked, and their split into what is trained on and what is validated on."""

from __future__ import annotations

import argparse
import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from export.answers import class_count
from export.commands.inputs.arrays import read_npz
from export.errors import InputError
from keras_approx.text import plural


@dataclass(frozen=True)
class Samples:
    """Inputs and their labels.

    Attributes:
        source: The file they came from.
        inputs: float32 [n, *input shape], as the model takes them.
        labels: int64 [n], class numbers, or numbers [n, ...] where they may be any; None where there are none.
    """

    source: str
    inputs: np.ndarray
    labels: np.ndarray | None

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, chosen: np.ndarray | slice) -> Samples:
        return Samples(self.source, self.inputs[chosen], None if self.labels is None else self.labels[chosen])

    @property
    def targets(self) -> np.ndarray:
        """The labels, where they must be there.

        Raises:
            InputError: There are none.
        """
        if self.labels is None:
            raise InputError(f"expected labels in {self.source!r}, found none; see --labels-array")
        return self.labels

    @property
    def digest(self) -> str:
        """Identifies the samples: a hash of inputs and labels."""
        found = hashlib.blake2b(np.ascontiguousarray(self.inputs).data, digest_size=16)
        found.update(b"" if self.labels is None else np.ascontiguousarray(self.labels).data)
        return found.hexdigest()


def read_samples(
    path: str,
    *,
    inputs: str = "inputs",
    labels: str | None = "labels",
    shape: Sequence[int] | None = None,
    needed: bool = True,
    classes: bool = True,
) -> Samples:
    """Reads and checks samples.

    Args:
        path: A .npz file.
        inputs: Name of the array of inputs [n, ...], of numbers.
        labels: Name of the array of labels [n] or [n, 1]; None where they are not needed.
        shape: Of one input, if known.
        needed: Whether labels must be there; they are read if they are.
        classes: Whether labels are to be class numbers; else they may be any numbers [n, ...].

    Raises:
        InputError: The file cannot be read, an array is missing, of another shape or type, empty or not finite.
    """
    wanted = [inputs] if labels is None or not needed else [inputs, labels]
    arrays = read_npz(path, wanted, [] if labels is None else [labels])
    values = _inputs(path, inputs, arrays[inputs], shape)
    if labels is None or labels not in arrays:
        return Samples(path, values, None)
    read = class_numbers if classes else _numbers
    return Samples(path, values, read(path, labels, arrays[labels], len(values)))


def split(samples: Samples, share: float, seed: int) -> tuple[Samples, Samples]:
    """Sets samples apart, chosen by the seed alone.

    Args:
        samples: All.
        share: Of the samples, to set apart.
        seed: Of the choice.

    Returns:
        The others, and those set apart, each in an order of its own that chance made.

    Raises:
        InputError: There are too few to have both.
    """
    apart = round(share * len(samples))
    if not 0 < apart < len(samples):
        raise InputError(
            f"expected enough samples in {samples.source!r} to set a share of {share:g} apart, got {len(samples)}"
        )
    order = np.random.default_rng(seed).permutation(len(samples))
    return samples[order[apart:]], samples[order[:apart]]


def check_apart(test: Samples, others: Samples) -> str | None:
    """Makes sure that test samples were not seen before.

    Args:
        test: For final figures.
        others: All that training, calibration and search may look at.

    Returns:
        A warning where single test samples are among the others; None where none is.

    Raises:
        InputError: It is the same file, or all test samples are among the others.
    """
    advice = "final figures need samples that nothing was chosen by: give --test another file"
    if os.path.samefile(test.source, others.source):
        raise InputError(f"--data and --test are the same file {test.source!r}: {advice}")
    known = set(_digests(others.inputs))
    seen = sum(digest in known for digest in _digests(test.inputs))
    if seen == len(test):
        raise InputError(f"all samples of {test.source!r} are also in {others.source!r}: {advice}")
    if seen:
        return f"warning: {seen:,} of {len(test):,} test samples are also in {others.source!r}"
    return None


def check_classes(samples: Samples, outputs: int) -> None:
    """Raises InputError if a label is of no class that so many outputs tell apart; a single one decides between two."""
    highest, classes = int(samples.targets.max()), class_count(outputs)
    if highest >= classes:
        raise InputError(
            f"{samples.source!r} has samples of class {highest}, but the model has only "
            f"{plural(classes, 'class')}, from 0 on"
        )


def _digests(inputs: np.ndarray) -> list[bytes]:
    return [hashlib.blake2b(np.ascontiguousarray(one).data, digest_size=16).digest() for one in inputs]


def _inputs(path: str, name: str, values: np.ndarray, shape: Sequence[int] | None) -> np.ndarray:
    if values.ndim < 2 or values.dtype.kind not in "fiu":
        raise InputError(
            f"expected the array {name!r} of {path!r} to hold numbers [n, ...], got {values.dtype} "
            f"{list(values.shape)}"
        )
    if shape is not None and values.shape[1:] != tuple(shape):
        wanted = ", ".join(["n", *map(str, shape)])
        raise InputError(
            f"expected the array {name!r} of {path!r} to have the shape [{wanted}] that the model takes, got "
            f"{list(values.shape)}"
        )
    if not len(values):
        raise InputError(f"expected samples in the array {name!r} of {path!r}, got none")
    values = values.astype(np.float32, copy=False)
    if not np.isfinite(values).all():
        raise InputError(f"the array {name!r} of {path!r} holds NaN or infinity: clean the data")
    return values


def class_numbers(path: str, name: str, labels: np.ndarray, expected: int) -> np.ndarray:
    """Labels as int64 [n].

    Raises:
        InputError: They are no class numbers, or others than `expected` many.
    """
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1 or labels.dtype.kind not in "iu" or (labels.size and labels.min() < 0):
        raise InputError(
            f"expected the array {name!r} of {path!r} to hold class numbers [n] from 0 on, got {labels.dtype} "
            f"{list(labels.shape)}; of one-hot labels take argmax(axis=1)"
        )
    _check_count(path, name, labels, expected)
    return labels.astype(np.int64)


def _numbers(path: str, name: str, labels: np.ndarray, expected: int) -> np.ndarray:
    if not labels.ndim or labels.dtype.kind not in "biuf":
        raise InputError(
            f"expected the array {name!r} of {path!r} to hold numbers [n, ...], got {labels.dtype} {list(labels.shape)}"
        )
    _check_count(path, name, labels, expected)
    return labels


def _check_count(path: str, name: str, labels: np.ndarray, expected: int) -> None:
    if len(labels) != expected:
        raise InputError(
            f"{path!r} holds {plural(expected, 'input')}, but {plural(len(labels), 'label')} in {name!r}"
        )


def read_test(
    options: argparse.Namespace,
    others: Samples,
    say: Callable[[str], None],
    *,
    shape: Sequence[int],
    outputs: int,
) -> Samples | None:
    """The samples of --test, which must be apart from those of --data; None if there are none.

    Args:
        options: With `test`, `inputs_array` and `labels_array`.
        others: The samples of --data.
        say: Is told if some samples are in both.
        shape: Of one input of the model.
        outputs: How many the model has.

    Raises:
        InputError: They are no samples for the model, or among the others.
    """
    if options.test is None:
        return None
    test = read_samples(
        options.test,
        inputs=options.inputs_array,
        labels=options.labels_array,
        shape=shape,
    )
    check_classes(test, outputs)
    warning = check_apart(test, others)
    if warning is not None:
        say(warning)
    return test
