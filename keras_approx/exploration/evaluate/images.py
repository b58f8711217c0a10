"""The images of an exploration: fingerprints, and whether two sets share any."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from keras_approx.errors import OptionError
from keras_approx.exploration.evaluate.scoring import Scorer, checked_labels, scorer_of
from keras_approx.graph.topology import check_simple
from keras_approx.layers.skip_wrapper import skip_wrappers

RECALIBRATION_BATCHES = 8


@dataclass
class ImageSet:
    """Which images a set holds.

    Attributes:
        digests: Of each image.
        first: The first batches that passed, up to RECALIBRATION_BATCHES; else images are not kept.
    """

    digests: list[bytes] = field(default_factory=list)
    first: list[np.ndarray] = field(default_factory=list)

    def add(self, images: np.ndarray) -> None:
        """Adds images (n, *shape), float32."""
        for image in np.ascontiguousarray(images):
            self.digests.append(hashlib.blake2b(image.data, digest_size=16).digest())

    def watching(self, batches: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
        """The same batches, added as they pass."""
        for batch in batches:
            self.add(batch)
            if len(self.first) < RECALIBRATION_BATCHES:
                self.first.append(np.array(batch))
            yield batch

    @property
    def digest(self) -> str:
        """SHA-256 of all images in their order."""
        return hashlib.sha256(b"".join(self.digests)).hexdigest()

    def shared(self, other: ImageSet) -> int:
        """How many of this set's images are in the other too."""
        known = set(other.digests)
        return sum(digest in known for digest in self.digests)


def warn_of_shared(validation: ImageSet, calibration: ImageSet) -> int:
    """Warns if validation images were used for calibration; returns how many."""
    shared = validation.shared(calibration)
    if shared:
        warnings.warn(
            f"{shared} of {len(validation.digests)} validation images are calibration images too: the model was "
            "adapted to them, so accuracies on them are too high and the front is better than it will be on other "
            "images; split the training images, and keep the test images for the final figures",
            stacklevel=3,
        )
    return shared


@dataclass(frozen=True)
class ValidationSet:
    """What a model is scored on.

    Attributes:
        images: Inputs (n, *input shape), float32.
        labels: What the metric compares outputs with.
        scorer: The metric.
        watched: The images' digests.
    """

    images: np.ndarray
    labels: np.ndarray
    scorer: Scorer
    watched: ImageSet

    @property
    def digest(self) -> str:
        """SHA-256 of images and labels."""
        return hashlib.sha256(self.watched.digest.encode() + self.labels.tobytes()).hexdigest()


def validation_set(model: Any, validation: Any, metric: Any) -> ValidationSet:
    """Checks a wrapped model, inputs and labels against each other and the metric.

    Raises:
        NotWrappedError: If the model is not wrapped.
        UnsupportedModelError: If it has several inputs or outputs, or calls a layer with a mask more than once.
        OptionError: If the data are no such arrays, or the metric does not fit them.
    """
    skip_wrappers(model)
    check_simple(model, "exploration")
    images, labels = checked_validation(validation, tuple(model.input_shape[1:]))
    scorer = scorer_of(metric, model, labels)
    watched = ImageSet()
    watched.add(images)
    return ValidationSet(images, labels, scorer, watched)


def checked_validation(validation: Any, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Validation inputs (n, *shape), float32, and labels; see `checked_labels`.

    Raises:
        OptionError: If they are something else.
    """
    if not isinstance(validation, (tuple, list)) or len(validation) != 2:
        raise OptionError(f"validation must be (inputs, labels), two arrays, got {type(validation).__name__}")
    images = np.asarray(validation[0], np.float32)
    if images.shape[1:] != shape or not len(images) or not np.all(np.isfinite(images)):
        wanted = ", ".join(["n", *map(str, shape)])
        raise OptionError(
            f"validation inputs must be finite, of shape ({wanted}) with n >= 1, got shape {images.shape}"
        )
    return images, checked_labels(validation[1], len(images))
