"""The data of the examples: parts, scaling, augmentation, and errors about files."""

from __future__ import annotations

from pathlib import Path

import cifar10
import numpy as np
import pytest
from jpeg_archive import read_archive


def test_subset_parts_and_classes(subset: cifar10.Cifar10) -> None:
    assert [len(part) for part in (subset.train, subset.validation, subset.test)] == [26_000, 3_000, 10_000]
    assert (np.bincount(subset.test.labels) == 1000).all()
    assert np.bincount(subset.train.labels).min() > 2_500
    assert np.bincount(subset.validation.labels).min() > 260
    assert "JPEG" in subset.source


def test_subset_holds_photographs(subset: cifar10.Cifar10) -> None:
    # In photographs neighboring pixels agree, and the mean is near CIFAR-10's (125, 123, 114); a wrong
    # header or an offset slipped by a byte decodes to noise or gray.
    pixels = subset.test.images.astype(np.float32)
    assert np.abs(pixels.mean(axis=(0, 1, 2)) - (125, 123, 114)).max() < 3
    assert np.abs(np.diff(pixels, axis=2)).mean() < 0.25 * pixels.std()


def test_subset_parts_do_not_overlap(subset: cifar10.Cifar10) -> None:
    train, validation = (
        {image.tobytes() for image in part.images} for part in (subset.train, subset.validation)
    )
    assert not train & validation


def test_subset_is_small_enough_to_ship() -> None:
    assert cifar10.SUBSET.stat().st_size <= 12_000_000


def test_split_takes_every_tenth_image_for_validation(cifar_arrays: dict[str, np.ndarray]) -> None:
    parts = cifar10.split(**cifar_arrays, source="test")
    x = cifar_arrays["x_train"]
    assert np.array_equal(parts.validation.images, x[9::10])
    assert np.array_equal(parts.train.images, x[[i for i in range(len(x)) if i % 10 != 9]])
    assert np.array_equal(parts.validation.labels, [9, 9, 9, 9])
    assert np.array_equal(parts.test.images, cifar_arrays["x_test"])


def test_load_npz(cifar_arrays: dict[str, np.ndarray], tmp_path: Path) -> None:
    np.savez(tmp_path / "small.npz", **cifar_arrays)
    loaded = cifar10.load(tmp_path / "small.npz")
    assert np.array_equal(loaded.train.images, cifar10.split(**cifar_arrays, source="").train.images)
    assert "small.npz" in loaded.source


def test_load_keras_goes_through_keras_datasets(
    cifar_arrays: dict[str, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    a = cifar_arrays
    monkeypatch.setattr(
        cifar10.keras.datasets.cifar10,
        "load_data",
        lambda: ((a["x_train"], a["y_train"]), (a["x_test"], a["y_test"])),
    )
    loaded = cifar10.load("keras")
    assert np.array_equal(loaded.test.images, a["x_test"])
    assert loaded.test.labels.shape == (20,)


def test_load_keras_says_what_to_do_without_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise Exception("URL fetch failure")

    monkeypatch.setattr(cifar10.keras.datasets.cifar10, "load_data", fail)
    with pytest.raises(FileNotFoundError, match=r"URL fetch failure; give 'subset'"):
        cifar10.load("keras")


def test_load_says_what_is_wrong(cifar_arrays: dict[str, np.ndarray], tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="'subset', 'keras'"):
        cifar10.load(tmp_path / "missing.npz")
    (tmp_path / "text.npz").write_text("not a zip archive")
    with pytest.raises(ValueError, match=r"x_train, y_train, x_test, y_test in .*text\.npz"):
        cifar10.load(tmp_path / "text.npz")
    np.save(tmp_path / "array.npy", cifar_arrays["x_train"])
    with pytest.raises(ValueError, match=r"array\.npy"):
        cifar10.load(tmp_path / "array.npy")
    np.savez(tmp_path / "part.npz", x_train=cifar_arrays["x_train"])
    with pytest.raises(ValueError, match="y_train"):
        cifar10.load(tmp_path / "part.npz")
    np.savez(tmp_path / "float.npz", **(cifar_arrays | {"x_test": np.zeros((20, 32, 32, 3))}))
    with pytest.raises(ValueError, match=r"uint8 images of shape \[n, 32, 32, 3\], got float64"):
        cifar10.load(tmp_path / "float.npz")
    np.savez(tmp_path / "labels.npz", **(cifar_arrays | {"y_test": np.full(20, 10)}))
    with pytest.raises(ValueError, match="20 labels from 0 to 9"):
        cifar10.load(tmp_path / "labels.npz")


def test_scaling_is_lossless_in_int8() -> None:
    levels = np.arange(256, dtype=np.uint8)
    assert np.array_equal(cifar10.to_int8(levels), levels.astype(np.int16) - 128)
    assert np.array_equal(cifar10.to_float(levels) * 128, cifar10.to_int8(levels))


def test_augment_shifts_and_flips_whole_images() -> None:
    images = np.random.default_rng(0).integers(129, 256, (64, 32, 32, 3), np.uint8)
    before = images.copy()
    augmented = cifar10.augment(images, np.random.default_rng(1), shift=2)
    assert np.array_equal(images, before)
    seen = set()
    for image, result in zip(images, augmented, strict=True):
        padded = np.pad(image, ((2, 2), (2, 2), (0, 0)), constant_values=128)
        windows = {
            (dy, dx, flip): padded[dy : dy + 32, dx : dx + 32][:, :: -1 if flip else 1]
            for dy in range(5)
            for dx in range(5)
            for flip in (False, True)
        }
        matches = [key for key, window in windows.items() if np.array_equal(window, result)]
        assert len(matches) == 1
        seen.update(matches)
    assert {flip for _, _, flip in seen} == {False, True}
    assert {dy for dy, _, _ in seen} == {dx for _, dx, _ in seen} == set(range(5))


def test_batches_depend_on_seed_and_epoch_alone(cifar_arrays: dict[str, np.ndarray]) -> None:
    part = cifar10.split(**cifar_arrays, source="").train
    straight = cifar10.AugmentedBatches(part, batch_size=8, seed=3)
    epochs = []
    for _ in range(2):
        epochs.append([straight[i] for i in range(len(straight))])
        straight.on_epoch_end()
    resumed = cifar10.AugmentedBatches(part, batch_size=8, seed=3, epoch=1)
    assert len(resumed) == 4
    for (x, y), (x_resumed, y_resumed) in zip(epochs[1], [resumed[i] for i in range(4)], strict=True):
        assert np.array_equal(x, x_resumed)
        assert np.array_equal(y, y_resumed)
    assert not np.array_equal(epochs[0][0][0], epochs[1][0][0])
    other_seed = cifar10.AugmentedBatches(part, batch_size=8, seed=4)
    assert not np.array_equal(epochs[0][0][0], other_seed[0][0])


def test_an_epoch_shows_no_image_twice(cifar_arrays: dict[str, np.ndarray]) -> None:
    part = cifar10.split(**cifar_arrays, source="").train
    numbered = cifar10.Part(
        np.arange(36, dtype=np.uint8)[:, None, None, None].repeat(32, 1).repeat(32, 2).repeat(3, 3),
        part.labels,
    )
    batches = cifar10.AugmentedBatches(numbered, batch_size=8)
    # The middle pixel survives every shift of up to 4 pixels.
    shown = [float(x) for i in range(len(batches)) for x in batches[i][0][:, 16, 16, 0]]
    assert len(set(shown)) == len(shown) == 32


@pytest.mark.parametrize("batch_size", [0, 37])
def test_batch_size_must_fit(batch_size: int, cifar_arrays: dict[str, np.ndarray]) -> None:
    part = cifar10.split(**cifar_arrays, source="").train
    with pytest.raises(ValueError, match=f"from 1 to the 36 training images, got {batch_size}"):
        cifar10.AugmentedBatches(part, batch_size)


def test_shipped_archive_is_the_split_of_the_subset(subset: cifar10.Cifar10) -> None:
    images, labels = read_archive(cifar10.SUBSET, ("validation",))["validation"]
    assert np.array_equal(images, subset.validation.images)
    assert np.array_equal(labels, subset.validation.labels)
