"""Checkpoints: a folder from which interrupted training resumes with identical results."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
from pydantic import TypeAdapter, ValidationError

from keras_approx.compat import keras, tf
from keras_approx.errors import CheckpointError
from keras_approx.storage.arrays import read_arrays, write_arrays
from keras_approx.storage.files import is_unfinished, replacing
from keras_approx.storage.locks import try_lock
from keras_approx.storage.schema import explain, read_bounded
from keras_approx.training.guard import Guard

_SETTINGS, _CURVES, _STATE, _SAVING = "settings.json", "curves.json", "state", "saving"
_BEST = "best-{}.npz"  # after so many epochs
_OURS = re.compile(r"(settings|curves)\.json|state|saving|best-\d+\.npz")
_MAX_BYTES = 64 << 20
_Content = TypeVar("_Content")
_Folder = tuple[int, int]
"""A folder's device and inode, whatever its path."""
_HELD: dict[_Folder, int] = {}
"""Descriptors that hold folders against other processes."""
_SettingsFile = TypeAdapter(dict[str, Any])
_CurvesFile = TypeAdapter(list[dict[str, float]])


class Epochs(Protocol):
    """Batches that training takes epoch by epoch, such as `ShuffledBatches`.

    Attributes:
        epoch: The one whose batches come next.
    """

    epoch: int

    def __len__(self) -> int: ...


class Checkpoints(keras.callbacks.BackupAndRestore):
    """Saves model, optimizer and curves after each epoch, and restores them before the first.

    They are restored while `fit` collects its callbacks, before any of these asks the optimizer for its step when
    training begins; UpdateSkipMasks then continues its schedule. The best state that `fine_tune` keeps is saved too.

    Args:
        folder: Of the checkpoint; made if it is missing.
        settings: All that decides how training goes, ready for JSON.
        batches: What is trained on; its epoch is kept that of training.

    Raises:
        CheckpointError: If the folder cannot be written, holds something else or a checkpoint of training with other
            settings, or another process trains with it.

    Example:
        batches = ShuffledBatches(images, labels, 128, Augmentation(shift=4, flip=True), seed=0)
        checkpoints = Checkpoints("run/", {"kept": 0.25, "epochs": 40, "seed": 0}, batches)
        model, _ = fine_tune(network, batches.dataset(), kept=0.25, epochs=40, callbacks=[checkpoints])
        model.save("tuned.keras")
        checkpoints.remove()
    """

    def __init__(self, folder: str | Path, settings: Mapping[str, Any], batches: Epochs) -> None:
        folder = Path(folder)
        self._held = _prepare(folder, settings)
        super().__init__(str(folder / _STATE), delete_checkpoint=False)
        self.folder = folder
        self.batches = batches
        self.curves: list[dict[str, float]] = []
        self._guards: list[Guard] = []

    def set_others(self, callbacks: Sequence[Any]) -> None:
        """Takes the callbacks that train with this one; `fit` of a wrapped model calls it."""
        self._guards = [callback for callback in callbacks if isinstance(callback, Guard)]

    @property
    def epoch(self) -> int:
        """Epochs that are done."""
        return len(self.curves)

    def set_model(self, model: Any) -> None:
        try:
            super().set_model(model)
            super().on_train_begin()
        except (tf.errors.OpError, ValueError) as error:
            raise CheckpointError(
                f"the checkpoint {str(self.folder)!r} cannot be restored: {error}; remove the folder to start again"
            ) from error
        done = int(model.optimizer.iterations.numpy()) // len(self.batches)
        path = self.folder / _CURVES
        # The curves are written before the state: an epoch that was cut off in between is trained again.
        self.curves = _read(_CurvesFile, path)[:done] if done else []
        self.batches.epoch = done
        for guard in self._guards if done else ():
            guard.restore(_load_arrays(self.folder / _BEST.format(done)))

    def on_train_begin(self, logs: Any = None) -> None:
        """Does nothing, as `set_model` has restored the state already."""

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        self.curves.append({name: float(value) for name, value in (logs or {}).items()})
        try:
            _write(self.folder / _CURVES, self.curves)
            for guard in self._guards:
                _save_arrays(self.folder / _BEST.format(epoch + 1), guard.state())
            super().on_epoch_end(epoch, logs)
        except (tf.errors.OpError, OSError) as error:
            raise CheckpointError(
                f"cannot write the checkpoint {str(self.folder)!r}: {getattr(error, 'message', error)}; make room, "
                "then train again, which resumes after the last epoch that was saved"
            ) from error
        (self.folder / _BEST.format(epoch)).unlink(missing_ok=True)
        self.batches.epoch = epoch + 1

    def saving(self) -> None:
        """Notes that training is done and its result is about to be saved; see `is_saving`."""
        (self.folder / _SAVING).touch()

    def remove(self) -> None:
        """Removes the checkpoint, when what was trained is saved."""
        shutil.rmtree(self.folder)
        _release(self._held)


def is_saving(folder: Path) -> bool:
    """Whether a process ended while it saved its result: the result that is there is that of this checkpoint."""
    return (folder / _SAVING).is_file()


def _prepare(folder: Path, settings: Mapping[str, Any]) -> _Folder:
    """Makes the folder that of a training with these settings, and holds it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        held = _hold(folder)
        try:
            _claim(folder, json.loads(json.dumps(settings)))
        except BaseException:
            _release(held)
            raise
    except CheckpointError:
        raise
    except OSError as error:
        raise CheckpointError(
            f"cannot use {str(folder)!r} for checkpoints: {error}; remove it, or choose another folder"
        ) from error
    return held


def _hold(folder: Path) -> _Folder:
    """Holds a folder for this process, whose earlier training in it, if there was one, did not come to its end."""
    descriptor = os.open(folder, os.O_RDONLY)
    found = os.fstat(descriptor)
    held = found.st_dev, found.st_ino
    _release(held)
    if not try_lock(descriptor):
        os.close(descriptor)
        raise CheckpointError(
            f"another process trains with the checkpoint {str(folder)!r}: wait until it has finished, or choose "
            "another folder"
        )
    _HELD[held] = descriptor
    return held


def _release(held: _Folder) -> None:
    descriptor = _HELD.pop(held, None)
    if descriptor is not None:
        os.close(descriptor)


def _claim(folder: Path, wanted: Mapping[str, Any]) -> None:
    names = [entry.name for entry in folder.iterdir()]
    if any(not _OURS.fullmatch(name) and not is_unfinished(name) for name in names):
        raise CheckpointError(
            f"the folder {str(folder)!r} holds something that is no checkpoint: choose another folder"
        )
    path = folder / _SETTINGS
    if not (folder / _CURVES).exists():  # nothing was trained yet, whatever the settings were
        _write(path, wanted)
        return
    found = _read(_SettingsFile, path)
    changed = sorted(name for name in {*wanted, *found} if wanted.get(name) != found.get(name))
    if changed:
        first = changed[0]
        raise CheckpointError(
            f"the checkpoint {str(folder)!r} was made with other options ({first}: {found.get(first)!r}, now "
            f"{wanted.get(first)!r}): give the same ones, or remove the folder to start again"
        )


def _read(kind: TypeAdapter[_Content], path: Path) -> _Content:
    try:
        return kind.validate_json(read_bounded(path, _MAX_BYTES))
    except (OSError, ValueError) as error:
        reason = explain(error) if isinstance(error, ValidationError) else error
        raise CheckpointError(
            f"{str(path)!r} of the checkpoint is damaged: {reason}; remove the folder to start again"
        ) from error


def _write(path: Path, content: Any) -> None:
    with replacing(path) as file:
        file.write(f"{json.dumps(content)}\n".encode())


def _save_arrays(path: Path, arrays: Mapping[str, Any]) -> None:
    with replacing(path) as file:
        write_arrays(file, arrays)


def _load_arrays(path: Path) -> dict[str, np.ndarray]:
    try:
        return read_arrays(path)
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f"{str(path)!r} of the checkpoint is damaged: {error}; remove the folder to start again"
        ) from error
