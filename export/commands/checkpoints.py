"""A folder from which interrupted training goes on, as if it had never stopped."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from export.commands.batches import Batches
from export.errors import ModelFormatError, OutputPathError
from keras_approx.compat import keras, tf
from keras_approx.locks import try_lock
from keras_approx.schema import explain, read_bounded

_SETTINGS, _CURVES, _STATE, _SAVING = "settings.json", "curves.json", "state", "saving"
_OURS = (_SETTINGS, "settings.new", _CURVES, "curves.new", _STATE, _SAVING)
_MAX_BYTES = 64 << 20
_Content = TypeVar("_Content")
_SettingsFile = TypeAdapter(dict[str, Any])
_CurvesFile = TypeAdapter(list[dict[str, float]])


class Checkpoints(keras.callbacks.BackupAndRestore):
    """Saves model, optimizer and curves after each epoch, and restores them before the first.

    They are restored while `fit` collects its callbacks, before any of these asks the optimizer for its step when
    training begins; UpdateSkipMasks then goes on with its schedule.

    Args:
        folder: Of the checkpoint; made if it is missing.
        settings: All that decides how training goes, ready for JSON.
        batches: What is trained on; its epoch is kept that of training.

    Raises:
        OutputPathError: The folder cannot be written, holds something else, or another process trains with it.
        ModelFormatError: Its checkpoint is of training with other settings.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any], batches: Batches) -> None:
        self._lock = _prepare(folder, settings)
        super().__init__(str(folder / _STATE), delete_checkpoint=False)
        self.folder = folder
        self.batches = batches
        self.curves: list[dict[str, float]] = []

    @property
    def epoch(self) -> int:
        """Epochs that are done."""
        return len(self.curves)

    def set_model(self, model: Any) -> None:
        try:
            super().set_model(model)
            super().on_train_begin()
        except (tf.errors.OpError, ValueError) as error:
            raise ModelFormatError(
                f"the checkpoint {str(self.folder)!r} cannot be restored: {error}; remove the folder to start again"
            ) from error
        done = int(model.optimizer.iterations.numpy()) // len(self.batches)
        path = self.folder / _CURVES
        # The curves are written before the state: an epoch that was cut off in between is trained again.
        self.curves = _read(_CurvesFile, path)[:done] if done else []
        self.batches.epoch = done

    def on_train_begin(self, logs: Any = None) -> None:
        """Nothing is left to do."""

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        self.curves.append({name: float(value) for name, value in (logs or {}).items()})
        try:
            _write(self.folder / _CURVES, self.curves)
            super().on_epoch_end(epoch, logs)
        except (tf.errors.OpError, OSError) as error:
            raise OutputPathError(
                f"cannot write the checkpoint {str(self.folder)!r}: {getattr(error, 'message', error)}; make room, "
                "then give the same command again"
            ) from error
        self.batches.epoch = epoch + 1

    def saving(self) -> None:
        """Notes that training is done and its result is about to be saved; see `is_saving`."""
        (self.folder / _SAVING).touch()

    def remove(self) -> None:
        """Removes the checkpoint, when what was trained is saved."""
        shutil.rmtree(self.folder)
        os.close(self._lock)


def is_saving(folder: Path) -> bool:
    """Whether a process ended while it saved its result: the result that is there is that of this checkpoint."""
    return (folder / _SAVING).is_file()


def _prepare(folder: Path, settings: Mapping[str, Any]) -> int:
    """Makes the folder that of a training with these settings; the descriptor that locks it while it is open."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder, os.O_RDONLY)
        try:
            if not try_lock(lock):
                raise OutputPathError(
                    f"another fine-tune trains with the checkpoint {str(folder)!r}: wait until it has finished, or "
                    "choose another --out or --checkpoint"
                )
            _claim(folder, json.loads(json.dumps(settings)))
        except BaseException:
            os.close(lock)
            raise
    except OutputPathError:
        raise
    except OSError as error:
        raise OutputPathError(
            f"cannot use {str(folder)!r} for checkpoints: {error}; remove it, or choose another --checkpoint"
        ) from error
    return lock


def _claim(folder: Path, wanted: Mapping[str, Any]) -> None:
    if {entry.name for entry in folder.iterdir()} - {*_OURS}:
        raise OutputPathError(
            f"the folder {str(folder)!r} holds something that is no checkpoint: choose another --checkpoint"
        )
    path = folder / _SETTINGS
    if not (folder / _CURVES).exists():  # nothing was trained yet, whatever the settings were
        _write(path, wanted)
        return
    found = _read(_SettingsFile, path)
    changed = sorted(name for name in {*wanted, *found} if wanted.get(name) != found.get(name))
    if changed:
        first = changed[0]
        raise ModelFormatError(
            f"the checkpoint {str(folder)!r} was made with other options ({first}: {found.get(first)!r}, now "
            f"{wanted.get(first)!r}): give the same ones, or remove the folder to start again"
        )


def _read(kind: TypeAdapter[_Content], path: Path) -> _Content:
    try:
        return kind.validate_json(read_bounded(path, _MAX_BYTES))
    except (OSError, ValueError) as error:
        reason = explain(error) if isinstance(error, ValidationError) else error
        raise ModelFormatError(
            f"{str(path)!r} of the checkpoint is damaged: {reason}; remove the folder to start again"
        ) from error


def _write(path: Path, content: Any) -> None:
    temporary = path.with_suffix(".new")
    temporary.write_text(json.dumps(content) + "\n", encoding="utf-8")
    os.replace(temporary, path)
