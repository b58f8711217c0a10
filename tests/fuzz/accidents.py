"""Kills at any file call: what was there is there still, or what was to come is, and the next call goes on."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from export.artifact.folder import write_folder
from export.artifact.manifest import GENERATOR
from keras_approx.exploration.front.file import load_front, save_front
from keras_approx.exploration.store import Store
from tests.export.reporting.fronts import front

_CALLS = ("open", "os.", "shutil.", "tempfile.", "ctypes.")
_PROBLEM = {"model": "0123"}


def _files(text: str) -> dict[str, bytes]:
    names = [f"net_{number:02}_add.c" for number in range(4)]
    listed = ", ".join(f'"{name}"' for name in [*names, "manifest.json"])
    manifest = (
        f'{{"generator": {{"name": "{GENERATOR}"}}, "name": "net", "files": [{listed}], "text": "{text}"}}'
    )
    return {name: text.encode() for name in names} | {"manifest.json": manifest.encode()}


def _content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def _killed(work: Callable[[], object], call: int) -> bool:
    """Does work in a process that is killed at its n-th file call; whether it got there."""
    child = os.fork()
    if child == 0:
        left = call

        def hook(event: str, arguments: object) -> None:
            nonlocal left
            if event.startswith(_CALLS):
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), 9)

        sys.addaudithook(hook)
        try:
            work()
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def kills(rng: np.random.Generator) -> str:
    """An export's folder, a saved front, or a store, killed while it is written."""
    with tempfile.TemporaryDirectory() as name:
        attacks = (_kill_export, _kill_front, _kill_store)
        attack = attacks[int(rng.integers(3))]
        return attack(Path(name), int(rng.integers(1, 80)))


def _kill_export(folder: Path, call: int) -> str:
    out = folder / "out"
    write_folder(out, _files("old"))
    killed = _killed(lambda: write_folder(out, _files("new")), call)
    assert out.exists(), "the folder is gone"
    assert _content(out) in (_files("old"), _files("new")), "neither the old export nor the new one"
    write_folder(out, _files("next"))
    assert _content(out) == _files("next")
    assert [path.name for path in folder.iterdir()] == ["out"], "something was left behind"
    return "killed" if killed else "finished"


def _kill_front(folder: Path, call: int) -> str:
    path = folder / "front.json"
    save_front(front(), path)
    killed = _killed(lambda: save_front(front(), path), call)
    assert len(load_front(path).evaluated) == len(front().evaluated)
    save_front(front(), path)
    assert [path.name for path in folder.iterdir()] == ["front.json"]
    return "killed" if killed else "finished"


def _kill_store(folder: Path, call: int) -> str:
    path = folder / "evaluations.jsonl"
    records = front().evaluated

    def fill() -> None:
        with Store(path, _PROBLEM) as store:
            for record in records:
                if record.id not in store.records:
                    store.add(record)
                    store.sync()

    killed = _killed(fill, call % 8 + 1)
    with Store(path, _PROBLEM) as store:
        assert all(store.records[name] in records for name in store.records)
    fill()
    with Store(path, _PROBLEM) as store:
        assert set(store.records) == {record.id for record in records}
    return "killed" if killed else "finished"
