"""Batches depend on seed and epoch alone, and augmentation does what it says."""

from __future__ import annotations

import numpy as np
import pytest

from keras_approx.errors import OptionError
from keras_approx.training.batches import Augmentation, ShuffledBatches


def _images(n: int = 20) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(n, 4, 6, 2)).astype(np.float32)


def _batches(augmentation: Augmentation = Augmentation(), seed: int = 0) -> ShuffledBatches:
    return ShuffledBatches(_images(), np.arange(20), 8, augmentation, seed)


def test_batches_depend_on_seed_and_epoch_alone() -> None:
    batches = _batches(Augmentation(shift=1, flip=True), seed=1)
    assert len(batches) == 2
    first = [x for x, _ in batches]
    assert all(np.array_equal(a, b) for a, (b, _) in zip(first, batches, strict=True))
    assert all(np.array_equal(a, b.numpy()) for a, (b, _) in zip(first, batches.dataset(), strict=True))
    batches.epoch = 1
    assert not np.array_equal(first[0], next(iter(batches))[0])


@pytest.mark.parametrize("shift", [0, 2])
@pytest.mark.parametrize("flip", [False, True])
def test_augmented_images_are_shifted_and_mirrored_ones(shift: int, flip: bool) -> None:
    images = _images(40)
    found = Augmentation(shift, flip)(images, np.random.default_rng(5))
    used = set()
    for before, after in zip(images, found, strict=True):
        padded = np.pad(before, ((shift, shift), (shift, shift), (0, 0)), mode="edge")
        mirrored = np.pad(before[:, ::-1], ((shift, shift), (shift, shift), (0, 0)), mode="edge")
        matches = [
            (name, y, x)
            for name, source in (("plain", padded), ("mirrored", mirrored))
            for y in range(2 * shift + 1)
            for x in range(2 * shift + 1)
            if np.array_equal(source[y : y + 4, x : x + 6], after)
        ]
        assert len(matches) == 1
        used.add(matches[0])
    assert {name for name, _, _ in used} == ({"plain", "mirrored"} if flip else {"plain"})
    assert len(used) > 10 if shift else len(used) == 1 + flip


def test_only_images_can_be_augmented() -> None:
    with pytest.raises(OptionError, match="are for images"):
        ShuffledBatches(np.zeros((9, 5)), np.zeros(9), 3, Augmentation(flip=True))
    with pytest.raises(OptionError, match=r"the shift, 4, must be smaller than the image \(4 x 6\)"):
        _batches(Augmentation(shift=4))
    with pytest.raises(OptionError, match=r"expected a batch of 1 to 20 samples, .* got 21"):
        ShuffledBatches(_images(), np.arange(20), 21)
