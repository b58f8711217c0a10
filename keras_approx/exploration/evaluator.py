"""Counts the images that masked models classify right, computing for each only what differs from those before.

The activations at each cut are kept for the masks that lead to them; designs come in an order in which those with
equal masks in the first layers follow one another (depth first), so most designs start from the last cut. Images are
taken in blocks: after each, designs that are hopeless go no further.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_approx.compat import tf
from keras_approx.exploration.confidence import hopeless
from keras_approx.exploration.segments import Tensors, Weights, cut_model, masked_weights
from keras_approx.skip_wrapper import get_masks, skip_wrappers

BLOCK = 250  # images at a time: activations stay near the core, and a design can be given up early
CACHE_BYTES = 1 << 30  # of activations at cuts


@dataclass(frozen=True)
class Work:
    """Designs to evaluate, in any order.

    Attributes:
        masks: By layer name, the different masks of the layer, bool.
        rows: (designs, layers): for each design and layer, in the order of `masks`, the number of its mask.
        required: (designs,): images that it must classify right not to be given up; 0 to look at all images.
    """

    masks: Mapping[str, Sequence[np.ndarray]]
    rows: np.ndarray
    required: np.ndarray


@dataclass(frozen=True)
class Outcome:
    """What was counted of one design.

    Attributes:
        row: Number of the design in the work.
        correct: Images classified right.
        images: Images looked at.
        distortion: See EvaluatedDesign.
    """

    row: int
    correct: int
    images: int
    distortion: float


class Evaluator:
    """Evaluates designs of one model on one set of images.

    Args:
        model: A wrapped model, which from now on belongs to the evaluator.
        images: Inputs (n, *input shape), float32, in the order in which to look at them.
        labels: Class numbers (n,).
        confidence: With which a design must be hopeless to be given up; see `confidence`.
        block: Images at a time.
        cache_bytes: Memory for activations.
    """

    def __init__(
        self,
        model: Any,
        images: np.ndarray,
        labels: np.ndarray,
        *,
        confidence: float = 0.999,
        block: int = BLOCK,
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        self._layers = {layer.name: layer for layer in skip_wrappers(model)}
        self._cut = cut_model(model)
        count = -(-len(images) // block)
        self._blocks = [tf.constant(part) for part in np.array_split(images, count)]
        self._labels = np.array_split(labels, count)
        self._images = len(images)
        self._confidence = 1 - (1 - confidence) / max(count - 1, 1)
        self._activations = _Cache(cache_bytes)
        self._weights = _Cache(cache_bytes)
        everything = {name: [np.ones_like(mask)] for name, mask in get_masks(model).items()}
        keyed = [self._load(segment.layer, everything[segment.layer][0]) for segment in self._cut.segments]
        self._exact = [self._outputs(number, keyed) for number in range(count)]
        self._variance = float(np.var(np.concatenate(self._exact), dtype=np.float64)) or 1.0

    def evaluate(self, work: Work) -> Iterator[Outcome]:
        """Evaluates designs; each outcome comes as soon as it is known.

        Args:
            work: The designs. What is shared by their first layers is computed once.
        """
        order = [list(work.masks).index(segment.layer) for segment in self._cut.segments]
        loaded = [
            [self._load(segment.layer, mask) for mask in work.masks[segment.layer]]
            for segment in self._cut.segments
        ]
        rows = work.rows[:, order]
        active = np.lexsort(rows.T[::-1])
        correct = np.zeros(len(rows), np.int64)
        squares = np.zeros(len(rows))
        seen = 0
        for number, labels in enumerate(self._labels):
            seen += len(labels)
            last = seen == self._images
            for row in active:
                keyed = [found[mask] for found, mask in zip(loaded, rows[row], strict=True)]
                outputs = self._outputs(number, keyed)
                correct[row] += np.count_nonzero(outputs.argmax(axis=1) == labels)
                squares[row] += np.mean(np.square(outputs - self._exact[number]), dtype=np.float64) * len(
                    labels
                )
                if last:
                    yield self._outcome(row, correct, squares, seen)
            if last:
                return
            given_up = hopeless(correct[active], seen, self._images, work.required[active], self._confidence)
            for row in active[given_up]:
                yield self._outcome(row, correct, squares, seen)
            active = active[~given_up]

    def _outcome(self, row: int, correct: np.ndarray, squares: np.ndarray, seen: int) -> Outcome:
        return Outcome(int(row), int(correct[row]), seen, float(squares[row] / seen / self._variance))

    def _load(self, name: str, mask: np.ndarray) -> tuple[bytes, Weights]:
        """The weights of a layer with a mask, and a key that stands for them."""
        key = hashlib.blake2b(np.packbits(mask).tobytes(), digest_size=16).digest()
        weights = self._weights.get((name, key))
        if weights is None:
            weights = masked_weights(self._layers[name], mask)
            self._weights.put((name, key), weights, 4 * mask.size)
        return key, weights

    def _outputs(self, block: int, keyed: Sequence[tuple[bytes, Weights]]) -> np.ndarray:
        """The model's outputs for a block of images, from the last cut that is known for these masks."""
        names = [(block, *(key for key, _ in keyed[:level])) for level in range(len(keyed))]
        tensors: Tensors | None = None
        start = 0
        for level, name in enumerate(names):  # all of them, so that those that lead here stay longest
            known = self._activations.get(name)
            if known is not None:
                tensors, start = known, level
        if tensors is None:
            tensors = self._keep(names[0], self._cut.begin(self._blocks[block]))
        for level in range(start, len(keyed)):
            _, weights = keyed[level]
            tensors = self._cut.segments[level].run(tensors, weights.kernel, weights.bias)
            if level + 1 < len(keyed):
                tensors = self._keep(names[level + 1], tensors)
        return np.asarray(tensors[0])

    def _keep(self, name: tuple[Any, ...], tensors: Tensors) -> Tensors:
        self._activations.put(name, tensors, sum(4 * int(np.prod(tensor.shape)) for tensor in tensors))
        return tensors


class _Cache:
    """Values by key, up to a number of bytes; what was not asked for longest goes first."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._size = 0
        self._values: OrderedDict[Any, tuple[Any, int]] = OrderedDict()

    def get(self, key: Any) -> Any:
        if key not in self._values:
            return None
        self._values.move_to_end(key)
        return self._values[key][0]

    def put(self, key: Any, value: Any, size: int) -> None:
        self._values[key] = (value, size)
        self._size += size
        while self._size > self._limit and self._values:
            _, (_, freed) = self._values.popitem(last=False)
            self._size -= freed
