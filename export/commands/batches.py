"""Batches to train on, of which each epoch's depend on the seed and the epoch alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from export.commands.samples import Samples
from export.errors import InputError


@dataclass(frozen=True)
class Augmentation:
    """What chance does to images.

    Attributes:
        shift: Most pixels in each direction, the border repeated.
        flip: Whether half of them are mirrored left to right.
    """

    shift: int = 0
    flip: bool = False

    def __call__(self, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """New images [n, height, width, channels]."""
        if self.flip:
            mirrored = rng.random(len(images)) < 0.5
            images = np.where(mirrored[:, None, None, None], images[:, :, ::-1], images)
        if self.shift:
            n, height, width, _ = images.shape
            border = (self.shift, self.shift)
            padded = np.pad(images, ((0, 0), border, border, (0, 0)), mode="edge")
            rows = rng.integers(0, 2 * self.shift + 1, (n, 1)) + np.arange(height)
            columns = rng.integers(0, 2 * self.shift + 1, (n, 1)) + np.arange(width)
            images = padded[np.arange(n)[:, None, None], rows[:, :, None], columns[:, None, :]]
        return images


class Batches:
    """Shuffled, augmented batches.

    Args:
        samples: With labels.
        batch_size: Samples in a batch; a last, smaller one is left out.
        augmentation: What happens to each image.
        seed: Of all chance.

    Attributes:
        epoch: Whose batches come next; `fit` takes them in order if a callback counts it up.

    Raises:
        InputError: There are too few samples for a batch, or they are no images but are to be augmented.
    """

    def __init__(self, samples: Samples, batch_size: int, augmentation: Augmentation, seed: int) -> None:
        if len(samples) < batch_size:
            raise InputError(
                f"{len(samples):,} samples to train on are fewer than the {batch_size:,} of a batch: give "
                "more, or a smaller --batch-size"
            )
        if augmentation != Augmentation() and samples.inputs.ndim != 4:
            raise InputError(
                f"--shift and --flip are for images [n, height, width, channels], got {list(samples.inputs.shape)}"
            )
        if augmentation.shift and augmentation.shift >= min(samples.inputs.shape[1:3]):
            raise InputError(
                f"--shift {augmentation.shift} moves images of {samples.inputs.shape[1]} x {samples.inputs.shape[2]} "
                "pixels out of sight: give fewer"
            )
        self._samples, self._batch_size = samples, batch_size
        self._augmentation, self._seed = augmentation, seed
        self.epoch = 0

    def __len__(self) -> int:
        return len(self._samples) // self._batch_size

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        rng = np.random.default_rng((self._seed, self.epoch))
        order = rng.permutation(len(self._samples))
        for first in range(0, len(self) * self._batch_size, self._batch_size):
            chosen = order[first : first + self._batch_size]
            yield self._augmentation(self._samples.inputs[chosen], rng), self._samples.classes[chosen]

    def dataset(self) -> Any:
        """The batches of the current epoch as a tf.data.Dataset; each iteration asks anew which that is."""
        from keras_approx.compat import tf  # noqa: PLC0415

        shape = self._samples.inputs.shape[1:]
        signature = (
            tf.TensorSpec((self._batch_size, *shape), tf.float32),
            tf.TensorSpec((self._batch_size,), tf.int64),
        )
        batches = tf.data.Dataset.from_generator(self.__iter__, output_signature=signature)
        return batches.apply(tf.data.experimental.assert_cardinality(len(self)))
