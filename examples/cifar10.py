"""CIFAR-10 in fixed training, validation and test parts, from the user's copy or the subset shipped here.

The subset (`data/cifar10_jpeg_subset.npz`) holds 39,000 real CIFAR-10 images in a widely copied **JPEG
version** (quality 75): slightly lossy, so accuracies on it are about 1 to 3 points under those on the
original files. Say so wherever you quote one. CIFAR-10: Alex Krizhevsky, "Learning Multiple Layers of
Features from Tiny Images", 2009.

The split is fixed: of the 50,000 training images in their usual order, every tenth (9, 19, 29, ...) is for
validation, the other 45,000 for training; the 10,000 test images are used for final figures only. The subset
(26,000, 3,000 and 10,000 images) keeps to it: its validation images are validation images of the full set
too, so weights trained on either never saw them.
"""

from __future__ import annotations

import argparse
import hashlib
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import tf_keras as keras
from jpeg_archive import read_archive

CLASS_NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
INPUT_RANGE = (-1.0, 127 / 128)  # of `to_float`
JPEG_VERSION = "CIFAR-10, all 60,000 images in a JPEG version (quality 75)"
"""Where the images came from that the shipped weights and most recorded figures are of."""
JPEG_DIGEST = "3547dd2188c71a348048e84bb45c3555afe701fcaf425a818a8481665b5ff040"
"""SHA-256 of its decoded training and test images, by which a file of any name is known."""
SUBSET = Path(__file__).parent / "data" / "cifar10_jpeg_subset.npz"


@dataclass(frozen=True)
class Part:
    """Images `[n, 32, 32, 3]` uint8 and their class numbers `[n]` int64."""

    images: np.ndarray
    labels: np.ndarray

    def __post_init__(self) -> None:
        n = len(self.images)
        if self.images.dtype != np.uint8 or self.images.shape != (n, 32, 32, 3):
            raise ValueError(
                f"expected uint8 images of shape [n, 32, 32, 3], "
                f"got {self.images.dtype} of shape {list(self.images.shape)}"
            )
        if self.labels.shape != (n,) or (
            n and not 0 <= self.labels.min() <= self.labels.max() < len(CLASS_NAMES)
        ):
            raise ValueError(
                f"expected {n} labels from 0 to 9, got an array of shape {list(self.labels.shape)}"
            )

    def __len__(self) -> int:
        return len(self.images)

    @property
    def inputs(self) -> np.ndarray:
        """The images as the networks take them, `[n, 32, 32, 3]` float32; see `to_float`."""
        return to_float(self.images)


@dataclass(frozen=True)
class Cifar10:
    """The three parts and a sentence on where they came from."""

    train: Part
    validation: Part
    test: Part
    source: str


def to_float(images: np.ndarray) -> np.ndarray:
    """Scales uint8 pixels to float32 in [-1, 1): (pixel - 128) / 128.

    All 256 levels are then exact in int8 with scale 1/128 and zero point 0, so quantizing the input loses
    nothing and a microcontroller gets int8 pixels by flipping the top bit of each byte (`to_int8`).
    """
    return (images.astype(np.float32) - 128) / 128


def to_int8(images: np.ndarray) -> np.ndarray:
    """The int8 inputs that stand for uint8 pixels: pixel - 128."""
    return (images ^ 0x80).view(np.int8)


def add_data(parser: argparse.ArgumentParser) -> None:
    """Adds the option `--data`, which is for `load`."""
    parser.add_argument(
        "--data", default="subset", help="'subset' (shipped), 'keras', or an .npz file (default: %(default)s)"
    )


def load(data: str | Path = "subset") -> Cifar10:
    """Loads CIFAR-10 and splits it.

    Args:
        data: `"subset"` for the shipped JPEG subset, `"keras"` for the original through `keras.datasets`
            (which downloads it where it is missing), or the path of an `.npz` file with `x_train`, `y_train`,
            `x_test` and `y_test` as `keras.datasets.cifar10.load_data` returns them.

    Raises:
        FileNotFoundError: There is no such file, or Keras cannot download it.
        ValueError: The file is not such an `.npz`, or its arrays have other shapes or types.
    """
    if data == "subset":
        parts = {
            name: Part(*arrays)
            for name, arrays in read_archive(SUBSET, ("train", "validation", "test")).items()
        }
        return Cifar10(**parts, source="a subset of CIFAR-10 in a JPEG version (quality 75)")
    if data == "keras":
        try:
            (x_train, y_train), (x_test, y_test) = keras.datasets.cifar10.load_data()
        except Exception as error:  # Keras raises nothing narrower when it cannot download
            raise FileNotFoundError(
                f"keras.datasets cannot provide CIFAR-10: {error}; give 'subset' or the path of an .npz file"
            ) from error
        return split(x_train, y_train, x_test, y_test, "CIFAR-10 from keras.datasets")
    path = Path(data)
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}: give 'subset', 'keras', or the path of an .npz file")
    names = ("x_train", "y_train", "x_test", "y_test")
    try:
        archive = np.load(path, allow_pickle=False)
        if isinstance(archive, np.ndarray):
            raise ValueError("it is one array without a name")
        with archive:
            arrays = [archive[name] for name in names]
    except (KeyError, ValueError, EOFError, OSError, BadZipFile) as error:
        raise ValueError(
            f"expected an .npz file with the arrays {', '.join(names)} in {path}: {error}"
        ) from error
    x_train, y_train, x_test, y_test = arrays
    found = hashlib.sha256(b"".join(np.ascontiguousarray(images).tobytes() for images in arrays[::2]))
    source = JPEG_VERSION if found.hexdigest() == JPEG_DIGEST else f"CIFAR-10 from {path.name}"
    return split(x_train, y_train, x_test, y_test, source)


def split(
    x_train: np.ndarray, y_train: np.ndarray, x_test: np.ndarray, y_test: np.ndarray, source: str
) -> Cifar10:
    """Splits arrays as `keras.datasets.cifar10.load_data` returns them; the module says how."""
    validation = is_validation(len(x_train))
    y_train, y_test = (y.reshape(-1).astype(np.int64) for y in (y_train, y_test))
    return Cifar10(
        train=Part(x_train[~validation], y_train[~validation]),
        validation=Part(x_train[validation], y_train[validation]),
        test=Part(x_test, y_test),
        source=source,
    )


def is_validation(n: int) -> np.ndarray:
    """Which of `n` training images in their usual order are for validation, `[n]` bool."""
    return np.arange(n) % 10 == 9


def augment(images: np.ndarray, rng: np.random.Generator, shift: int = 4) -> np.ndarray:
    """Flips half of the images left to right and shifts each by up to `shift` pixels, filling with mid-gray.

    Args:
        images: `[n, 32, 32, 3]` uint8, left as it is.
        rng: Where chance comes from.
        shift: The largest shift in pixels, in both directions.
    """
    n, height, width, _ = images.shape
    padded = np.pad(images, ((0, 0), (shift, shift), (shift, shift), (0, 0)), constant_values=128)
    rows = rng.integers(0, 2 * shift + 1, (n, 1)) + np.arange(height)
    columns = rng.integers(0, 2 * shift + 1, (n, 1)) + np.arange(width)
    flipped = rng.random(n) < 0.5
    columns[flipped] = columns[flipped, ::-1]
    return padded[np.arange(n)[:, None, None], rows[:, :, None], columns[:, None, :]]


class AugmentedBatches(keras.utils.Sequence):
    """Shuffled, augmented batches for `fit`; what an epoch holds depends on the seed and its number alone.

    Args:
        part: What to train on.
        batch_size: Images a batch; the last, smaller one is left out.
        seed: Of shuffling and augmentation.
        epoch: Number of the first epoch, so that a resumed run continues where it stopped.
    """

    def __init__(self, part: Part, batch_size: int = 128, seed: int = 0, epoch: int = 0) -> None:
        if not 1 <= batch_size <= len(part):
            raise ValueError(
                f"expected a batch size from 1 to the {len(part)} training images, got {batch_size}"
            )
        self._part, self._batch_size, self._seed = part, batch_size, seed
        self.start(epoch)

    def start(self, epoch: int) -> None:
        """Makes the batches of an epoch the next ones."""
        self.epoch = epoch
        self._order = np.random.default_rng((self._seed, epoch)).permutation(len(self._part))

    def __len__(self) -> int:
        return len(self._part) // self._batch_size

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        chosen = self._order[index * self._batch_size : (index + 1) * self._batch_size]
        rng = np.random.default_rng((self._seed, self.epoch, index))
        return to_float(augment(self._part.images[chosen], rng)), self._part.labels[chosen]

    def on_epoch_end(self) -> None:
        self.start(self.epoch + 1)
