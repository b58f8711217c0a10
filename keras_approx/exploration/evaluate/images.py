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
from keras_approx.graph.outputs import by_name
from keras_approx.graph.topology import check_simple
from keras_approx.layers.skip_wrapper import skip_wrappers
from keras_approx.measure.batches import arrays_of

RECALIBRATION_BATCHES = 8


@dataclass
class ImageSet:
    """Which images a set holds.

    Attributes:
        digests: Of each image, or of what all inputs are given together.
        first: The first batches that passed, up to RECALIBRATION_BATCHES; else images are not kept.
    """

    digests: list[bytes] = field(default_factory=list)
    first: list[Any] = field(default_factory=list)

    def add(self, images: Any) -> None:
        """Adds images (n, *shape), float32; a tuple of such for several inputs."""
        for sample in zip(*map(np.ascontiguousarray, arrays_of(images)), strict=True):
            digest = hashlib.blake2b(digest_size=16)
            for image in sample:
                digest.update(np.asarray(image).data)
            self.digests.append(digest.digest())

    def watching(self, batches: Iterator[Any]) -> Iterator[Any]:
        """The same batches, added as they pass."""
        for batch in batches:
            self.add(batch)
            if len(self.first) < RECALIBRATION_BATCHES:
                self.first.append(
                    tuple(map(np.array, batch)) if isinstance(batch, tuple) else np.array(batch)
                )
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
        images: Inputs (n, *input shape), float32; a tuple of them for several inputs.
        labels: What the metric compares outputs with.
        scorer: The metric.
        watched: The images' digests.
    """

    images: Any
    labels: np.ndarray
    scorer: Scorer
    watched: ImageSet

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def digest(self) -> str:
        """SHA-256 of images and labels."""
        return hashlib.sha256(self.watched.digest.encode() + self.labels.tobytes()).hexdigest()


def validation_set(model: Any, validation: Any, metric: Any) -> ValidationSet:
    """Checks a wrapped model, inputs and labels against each other and the metric.

    Raises:
        NotWrappedError: If the model is not wrapped.
        UnsupportedModelError: If it has several outputs, or calls a layer with a mask more than once.
        OptionError: If the data are no such arrays, or the metric does not fit them.
    """
    skip_wrappers(model)
    check_simple(model, "exploration")
    images, labels = checked_validation(validation, model)
    scorer = scorer_of(metric, model, labels)
    watched = ImageSet()
    watched.add(images)
    return ValidationSet(images, labels, scorer, watched)


def checked_validation(validation: Any, model: Any) -> tuple[Any, np.ndarray]:
    """Validation inputs (n, *shape), float32, a tuple of them for several inputs, and labels; see `checked_labels`.

    Raises:
        OptionError: If they are something else.
    """
    if not isinstance(validation, (tuple, list)) or len(validation) != 2:
        raise OptionError(f"validation must be (inputs, labels), two arrays, got {type(validation).__name__}")
    shapes = [tuple(tensor.shape)[1:] for tensor in model.inputs]
    if len(shapes) == 1:
        given = [validation[0]]
    else:
        given = list(by_name("validation inputs", validation[0], tuple(model.input_names), "inputs").values())
    images = tuple(np.asarray(array, np.float32) for array in given)
    for array, shape in zip(images, shapes, strict=True):
        if array.shape != (len(images[0]), *shape) or not len(array) or not np.all(np.isfinite(array)):
            wanted = ", ".join(["n", *map(str, shape)])
            raise OptionError(
                f"validation inputs must be finite, of shape ({wanted}) with n >= 1, got shape {array.shape}"
            )
    labels = checked_labels(validation[1], len(images[0]))
    return (images if len(images) > 1 else images[0]), labels
