"""Scores masked models, computing for each only what differs from those before.

The activations at each cut are kept for the masks that lead to them; designs come in an order in which those with
equal masks in the first layers follow one another (depth first), so most designs start from the last cut. Images are
taken in blocks: after each, designs that are hopeless go no further.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from cachetools import LRUCache

from keras_approx.compat import tf
from keras_approx.exploration.evaluate.confidence import hopeless
from keras_approx.exploration.evaluate.scoring import Scorer
from keras_approx.exploration.evaluate.segments import (
    NO_WEIGHTS,
    Segment,
    Tensors,
    Weights,
    cut_model,
    masked_weights,
)
from keras_approx.layers.skip_wrapper import get_masks, skip_wrappers
from keras_approx.measure.batch_norm import MeanMoments
from keras_approx.measure.batches import arrays_of
from keras_approx.training.eliminate import Refit

BLOCK = 250  # images at a time: activations stay near the core, and a design can be given up early
CACHE_BYTES = 1 << 30  # of activations at cuts
COLLECTED_BYTES = 1 << 27  # of outputs that are scored together

Statistics = Sequence[tuple[Any, Any]]  # mean and variance of each batch normalization


@dataclass(frozen=True)
class Work:
    """Designs to evaluate, in any order.

    Attributes:
        masks: By layer name, the different masks of the layer, bool.
        rows: (designs, layers): for each design and layer, in the order of `masks`, the number of its mask.
        required: (designs,): images that must be right for it not to be given up; 0 to look at all images, as metrics
            do that count none.
    """

    masks: Mapping[str, Sequence[np.ndarray]]
    rows: np.ndarray
    required: np.ndarray


@dataclass(frozen=True)
class Outcome:
    """What was counted of one design.

    Attributes:
        row: Number of the design in the work.
        score: The metric, of the images looked at.
        images: Images looked at.
        distortion: See EvaluatedDesign.
    """

    row: int
    score: float
    images: int
    distortion: float


class Evaluator:
    """Evaluates designs of one model on one set of images.

    Args:
        model: A wrapped model without masks, which from now on belongs to the evaluator.
        images: Inputs (n, *input shape), float32, in the order in which to look at them; a tuple of them for several
            inputs.
        labels: What the metric compares outputs with, one for each image.
        scorer: The metric.
        confidence: With which a design must be hopeless to be given up; see `confidence`.
        recalibration: Batches of inputs on which to re-estimate the statistics of batch normalization for every
            design that skips something, as keras_approx.recalibrate_batch_norm does; none to leave them.
        refits: By layer name, how weights make up for what is skipped; none to leave them as they are.
        block: Images at a time.
        cache_bytes: Memory for activations.
    """

    def __init__(
        self,
        model: Any,
        images: Any,
        labels: np.ndarray,
        scorer: Scorer,
        *,
        confidence: float = 0.999,
        recalibration: Sequence[Any] = (),
        refits: Mapping[str, Refit] = MappingProxyType({}),
        block: int = BLOCK,
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        self._layers = {layer.name: layer for layer in skip_wrappers(model)}
        self._refits = refits
        self._segments = cut_model(model)
        count = -(-len(labels) // block)
        parts = zip(*(np.array_split(array, count) for array in arrays_of(images)), strict=True)
        self._blocks = [tuple(map(tf.constant, part)) for part in parts]
        self._labels = np.array_split(labels, count)
        self._images = len(labels)
        self._scorer = scorer
        self._confidence = 1 - (1 - confidence) / max(count - 1, 1)
        self._activations = _Cache(cache_bytes)
        self._weights = _Cache(cache_bytes)
        self._recalibration = [tuple(map(tf.constant, arrays_of(batch))) for batch in recalibration]
        self._trained = [_statistics(segment) for segment in self._segments]
        masks = get_masks(model)
        everything = [self._load(s.layer, np.ones_like(masks[s.layer])) for s in self._masked]
        self._everything = [key for key, _ in everything]
        exact = self._chain(everything)
        self._exact = [self._outputs(number, exact) for number in range(count)]
        self._variance = float(np.var(np.concatenate(self._exact), dtype=np.float64)) or 1.0

    @property
    def _masked(self) -> tuple[Segment, ...]:
        return self._segments[1:]

    def evaluate(self, work: Work) -> Iterator[Outcome]:
        """Evaluates designs; each outcome comes as soon as it is known.

        Args:
            work: The designs. What is shared by their first layers is computed once.
        """
        order = [list(work.masks).index(segment.layer) for segment in self._masked]
        loaded = [
            [self._load(segment.layer, mask) for mask in work.masks[segment.layer]]
            for segment in self._masked
        ]
        rows = work.rows[:, order]
        chains = [self._chain([found[mask] for found, mask in zip(loaded, row, strict=True)]) for row in rows]
        depth_first = np.lexsort(rows.T[::-1])
        if self._scorer.right is not None:
            yield from self._counted(chains, depth_first, work.required)
            return
        together = max(1, COLLECTED_BYTES // sum(outputs.nbytes for outputs in self._exact))
        for start in range(0, len(depth_first), together):
            yield from self._collected(chains, depth_first[start : start + together])

    def _counted(
        self, chains: Sequence[_Chain], active: np.ndarray, required: np.ndarray
    ) -> Iterator[Outcome]:
        """Counts right images; designs that are hopeless go no further."""
        assert self._scorer.right is not None
        right = np.zeros(len(chains), np.int64)
        squares = np.zeros(len(chains))
        seen = 0
        for number, labels in enumerate(self._labels):
            seen += len(labels)
            last = seen == self._images
            for row in active:
                outputs = self._outputs(number, chains[row])
                right[row] += np.count_nonzero(self._scorer.right(labels, outputs))
                squares[row] += self._square(number, outputs)
                if last:
                    yield self._outcome(row, right[row] / seen, squares[row], seen)
            if last:
                return
            given_up = hopeless(right[active], seen, self._images, required[active], self._confidence)
            for row in active[given_up]:
                yield self._outcome(row, right[row] / seen, squares[row], seen)
            active = active[~given_up]

    def _collected(self, chains: Sequence[_Chain], rows: np.ndarray) -> Iterator[Outcome]:
        """Scores some designs by their outputs for all images."""
        found: dict[int, list[np.ndarray]] = {row: [] for row in rows}
        for number in range(len(self._labels)):
            for row in rows:
                found[row].append(self._outputs(number, chains[row]))
        labels = np.concatenate(self._labels)
        for row, outputs in found.items():
            squares = sum(self._square(number, part) for number, part in enumerate(outputs))
            yield self._outcome(
                row, self._scorer.score(labels, np.concatenate(outputs)), squares, self._images
            )

    def _square(self, block: int, outputs: np.ndarray) -> float:
        """The squared distances from the exact model's outputs, summed over a block's images."""
        error = np.mean(np.square(outputs - self._exact[block]), dtype=np.float64)
        return float(error * len(outputs))

    def _outcome(self, row: int, score: float, squares: float, seen: int) -> Outcome:
        return Outcome(int(row), float(score), seen, float(squares / seen / self._variance))

    def _load(self, name: str, mask: np.ndarray) -> tuple[bytes, Weights]:
        """The weights of a layer with a mask, and a key that stands for them."""
        key = hashlib.blake2b(np.packbits(mask).tobytes(), digest_size=16).digest()
        weights = self._weights.get((name, key))
        if weights is None:
            weights = masked_weights(self._layers[name], mask, self._refits.get(name))
            self._weights.put((name, key), weights, 4 * mask.size)
        return key, weights

    def _chain(self, keyed: Sequence[tuple[bytes, Weights]]) -> _Chain:
        masks = [key for key, _ in keyed]
        adapted = bool(self._recalibration) and masks != self._everything
        keys = (adapted, *masks)
        return _Chain(
            [keys[: level + 1] for level in range(len(keys))], [NO_WEIGHTS, *(w for _, w in keyed)], adapted
        )

    def _outputs(self, block: int, chain: _Chain) -> np.ndarray:
        """The model's outputs for a block of images, from the last cut that is known for these masks."""
        tensors: Tensors = self._blocks[block]
        start = 0
        for level, name in enumerate(chain.names[:-1]):  # all, so that those that lead here stay longest
            known = self._activations.get((block, name))
            if known is not None:
                tensors, start = known, level + 1
        for level in range(start, len(self._segments)):
            segment, weights = self._segments[level], chain.weights[level]
            if self._recalibration and segment.norms:
                _set_statistics(
                    segment, self._moments(level, chain) if chain.adapted else self._trained[level]
                )
            tensors = segment.run(tensors, weights.kernel, weights.bias)
            if level + 1 < len(self._segments):
                self._keep((block, chain.names[level]), tensors)
        return np.asarray(tensors[0])

    def _moments(self, level: int, chain: _Chain) -> Statistics:
        """The statistics of a segment's batch normalizations for these masks: the means over the batches."""
        known = self._weights.get(("moments", chain.names[level]))
        return self._adapt(level, chain)[1] if known is None else known

    def _adapt(self, level: int, chain: _Chain) -> tuple[list[Tensors], Statistics]:
        """Runs the recalibration batches through a segment: what comes out, and the statistics; keeps both."""
        if level:
            inputs = self._activations.get(("adapted", chain.names[level - 1]))
            inputs = self._adapt(level - 1, chain)[0] if inputs is None else inputs
        else:
            inputs = self._recalibration
        segment, weights = self._segments[level], chain.weights[level]
        found = [segment.adapt(tensors, weights.kernel, weights.bias) for tensors in inputs]
        outputs = [tensors for tensors, _ in found]
        totals = [MeanMoments() for _ in segment.norms]
        for (_, moments), batch in zip(found, self._recalibration, strict=True):
            for total, measured in zip(totals, moments, strict=True):
                total.add(len(batch[0]), *measured)
        means = [total.found() for total in totals]
        self._weights.put(("moments", chain.names[level]), means, 8 * sum(len(mean) for mean, _ in means) + 1)
        self._keep(("adapted", chain.names[level]), outputs)
        return outputs, means

    def _keep(self, name: tuple[Any, ...], tensors: Any) -> None:
        size = sum(4 * int(np.prod(tensor.shape)) for tensor in tf.nest.flatten(tensors))
        self._activations.put(name, tensors, size)


@dataclass(frozen=True)
class _Chain:
    """A design as the evaluator sees it.

    Attributes:
        names: For each segment what its outputs follow from: the masks so far.
        weights: For each segment.
        adapted: Whether batch normalization is re-estimated.
    """

    names: Sequence[tuple[Any, ...]]
    weights: Sequence[Weights]
    adapted: bool


def _statistics(segment: Segment) -> Statistics:
    return [(tf.identity(norm.moving_mean), tf.identity(norm.moving_variance)) for norm in segment.norms]


def _set_statistics(segment: Segment, statistics: Statistics) -> None:
    for norm, (mean, variance) in zip(segment.norms, statistics, strict=True):
        norm.moving_mean.assign(mean)
        norm.moving_variance.assign(variance)


class _Cache:
    """Values by key, up to a number of bytes; the least recently used go first."""

    def __init__(self, limit: int) -> None:
        self._held: LRUCache[Any, tuple[Any, int]] = LRUCache(limit, getsizeof=lambda held: held[1])

    def get(self, key: Any) -> Any:
        return self._held.get(key, (None, 0))[0]

    def put(self, key: Any, value: Any, size: int) -> None:
        self._held.pop(key, None)
        if size <= self._held.maxsize:
            self._held[key] = (value, size)
