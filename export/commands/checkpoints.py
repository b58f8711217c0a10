"""A folder from which interrupted training goes on, as if it had never stopped."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from export.commands.batches import Batches
from export.errors import ModelFormatError, OutputPathError
from keras_approx.compat import keras

_SETTINGS, _CURVES, _STATE = "settings.json", "curves.json", "state"


class Checkpoints(keras.callbacks.BackupAndRestore):
    """Saves model, optimizer and curves after each epoch, and restores them before the first.

    They are restored while `fit` collects its callbacks, before any of these asks the optimizer for its step when
    training begins; UpdateSkipMasks then goes on with its schedule.

    Args:
        folder: Of the checkpoint; made if it is missing.
        settings: All that decides how training goes, ready for JSON.
        batches: What is trained on; its epoch is kept that of training.

    Raises:
        OutputPathError: The folder cannot be written, or holds something else.
        ModelFormatError: Its checkpoint is of training with other settings.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any], batches: Batches) -> None:
        _prepare(folder, settings)
        super().__init__(str(folder / _STATE), delete_checkpoint=False)
        self.folder = folder
        self.batches = batches
        self.curves: list[dict[str, float]] = []

    @property
    def epoch(self) -> int:
        """Epochs that are done."""
        return len(self.curves)

    def set_model(self, model: Any) -> None:
        super().set_model(model)
        super().on_train_begin()
        done = int(model.optimizer.iterations.numpy()) // len(self.batches)
        path = self.folder / _CURVES
        # The curves are written before the state: an epoch that was cut off in between is trained again.
        self.curves = json.loads(path.read_text(encoding="utf-8"))[:done] if done else []
        self.batches.epoch = done

    def on_train_begin(self, logs: Any = None) -> None:
        """Nothing is left to do."""

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        self.curves.append({name: float(value) for name, value in (logs or {}).items()})
        _write(self.folder / _CURVES, self.curves)
        super().on_epoch_end(epoch, logs)
        self.batches.epoch = epoch + 1

    def remove(self) -> None:
        """Removes the checkpoint, when what was trained is saved."""
        shutil.rmtree(self.folder)


def _prepare(folder: Path, settings: Mapping[str, Any]) -> None:
    path = folder / _SETTINGS
    wanted = json.loads(json.dumps(settings))
    try:
        if path.exists():
            found = json.loads(path.read_text(encoding="utf-8"))
            changed = sorted(name for name in {*wanted, *found} if wanted.get(name) != found.get(name))
            if changed:
                first = changed[0]
                raise ModelFormatError(
                    f"the checkpoint {str(folder)!r} was made with other options ({first}: "
                    f"{found.get(first)!r}, now {wanted.get(first)!r}): give the same ones, or remove the "
                    "folder to start anew"
                )
            return
        if folder.exists() and any(folder.iterdir()):
            raise OutputPathError(
                f"the folder {str(folder)!r} holds something that is no checkpoint: choose another --checkpoint"
            )
        folder.mkdir(parents=True, exist_ok=True)
        _write(path, wanted)
    except (OSError, ValueError, AttributeError) as error:
        if isinstance(error, ModelFormatError | OutputPathError):
            raise
        raise OutputPathError(
            f"cannot use {str(folder)!r} for checkpoints: {error}; remove it, or choose another --checkpoint"
        ) from error


def _write(path: Path, content: Any) -> None:
    temporary = path.with_suffix(".new")
    temporary.write_text(json.dumps(content) + "\n", encoding="utf-8")
    os.replace(temporary, path)
