"""Batches to train on, of which each epoch's depend on the seed and the epoch alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_approx.errors import OptionError
from keras_approx.text import plural


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


class ShuffledBatches:
    """Shuffled, augmented batches.

    Args:
        inputs: [n, *input shape], numbers.
        labels: [n, ...].
        batch_size: Samples in a batch; a last, smaller one is left out.
        augmentation: What happens to each image.
        seed: Of all chance.

    Attributes:
        epoch: The one whose batches come next; `fit` takes them in order if a callback counts it up, as Checkpoints
            does.

    Raises:
        OptionError: If there are too few samples for a batch, or they are no images but are to be augmented.
    """

    def __init__(
        self,
        inputs: np.ndarray,
        labels: np.ndarray,
        batch_size: int,
        augmentation: Augmentation = Augmentation(),
        seed: int = 0,
    ) -> None:
        if not 1 <= batch_size <= len(inputs):
            raise OptionError(
                f"expected a batch of 1 to {plural(len(inputs), 'sample')}, all there are to train on, got "
                f"{batch_size:,}: give more samples, or another batch size"
            )
        if augmentation != Augmentation() and inputs.ndim != 4:
            raise OptionError(
                f"shifts and flips are for images [n, height, width, channels], got {list(inputs.shape)}"
            )
        if augmentation.shift and augmentation.shift >= min(inputs.shape[1:3]):
            raise OptionError(
                f"the shift, {augmentation.shift}, must be smaller than the image "
                f"({inputs.shape[1]} x {inputs.shape[2]})"
            )
        self._inputs, self._labels, self._batch_size = inputs, labels, batch_size
        self._augmentation, self._seed = augmentation, seed
        self.epoch = 0

    def __len__(self) -> int:
        return len(self._inputs) // self._batch_size

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        rng = np.random.default_rng((self._seed, self.epoch))
        order = rng.permutation(len(self._inputs))
        for first in range(0, len(self) * self._batch_size, self._batch_size):
            chosen = order[first : first + self._batch_size]
            yield self._augmentation(self._inputs[chosen], rng), self._labels[chosen]

    def dataset(self) -> Any:
        """The batches of the current epoch as a tf.data.Dataset; each iteration asks again which that is."""
        from keras_approx.compat import tf  # noqa: PLC0415

        signature = tuple(
            tf.TensorSpec((self._batch_size, *array.shape[1:]), tf.as_dtype(array.dtype))
            for array in (self._inputs, self._labels)
        )
        batches = tf.data.Dataset.from_generator(self.__iter__, output_signature=signature)
        return batches.apply(tf.data.experimental.assert_cardinality(len(self)))
