"""Training goes on from a folder as if it had never stopped, its best state among it; and what stands in the way."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from keras_approx.errors import CheckpointError
from keras_approx.storage.locks import try_lock
from keras_approx.training.batches import ShuffledBatches
from keras_approx.training.checkpoints import Checkpoints


def test_what_stands_in_the_way_of_a_checkpoint(tmp_path: Path) -> None:
    batches = ShuffledBatches(np.zeros((20, 4, 6, 2)), np.arange(20), 8)
    (tmp_path / "c").mkdir()
    other = os.open(tmp_path / "c", os.O_RDONLY)
    assert try_lock(other)  # as another process does
    with pytest.raises(
        CheckpointError, match=r"another process trains with the checkpoint.* or choose another folder$"
    ):
        Checkpoints(tmp_path / "c", {"seed": 1}, batches)
    os.close(other)
    Checkpoints(tmp_path / "c", {"seed": 1}, batches)
    Checkpoints(tmp_path / "c", {"seed": 2}, batches)  # nothing was trained with the other seed
    other = os.open(tmp_path / "c", os.O_RDONLY)
    assert not try_lock(other)
    os.close(other)
    (tmp_path / "c" / "curves.json").write_text('[{"loss": 1.0}]')
    with pytest.raises(CheckpointError, match=r"made with other options \(seed: 2, now 3\)"):
        Checkpoints(tmp_path / "c", {"seed": 3}, batches)
    for damaged in ("{", "[" * 100_000, "7", "\udcff"):
        (tmp_path / "d").mkdir(exist_ok=True)
        (tmp_path / "d" / "curves.json").write_text("[]")
        (tmp_path / "d" / "settings.json").write_bytes(damaged.encode(errors="surrogateescape"))
        with pytest.raises(CheckpointError, match=r"settings\.json' of the checkpoint is damaged"):
            Checkpoints(tmp_path / "d", {"seed": 2}, batches)
