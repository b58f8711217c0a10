"""Records are written whole, and what was measured with other settings is not lost by accident."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmarks.shared.records import read_folder, record_of, recorded, stays, write_bytes, write_json


def test_a_record_is_written_whole_and_read_again(tmp_path: Path) -> None:
    path = tmp_path / "new" / "record.json"
    assert recorded(path) == {}
    write_json(path, {"lenet": {"cycles": 3}})
    write_bytes(path.with_suffix(".tflite"), b"int8")
    assert recorded(path) == {"lenet": {"cycles": 3}}
    assert {file.name for file in path.parent.iterdir()} == {"record.json", "record.tflite"}
    assert read_folder(path.parent) == [{"lenet": {"cycles": 3}}]


def test_figures_stay_beside_others_of_the_same_settings_only() -> None:
    found = {"images": 9, "cores": ["a", "b"], "cycles": 3}
    assert stays("lenet", found, {"images": 9, "cores": ("a", "b")}, replace=False, figures=True)
    assert not stays("lenet", found, {"images": 8}, replace=True, figures=True)
    message = (
        "expected lenet to have been recorded with these settings, found images 9 and not 8, seed unknown and not 0: "
        "give the options they were recorded with, write to another place, or give --replace"
    )
    with pytest.raises(SystemExit, match=re.escape(message)):
        stays("lenet", found, {"images": 8, "seed": 0}, replace=False, figures=True)
    with pytest.raises(SystemExit, match="rounds 2 and not unknown"):
        stays("lenet", {"images": 9, "rounds": 2}, {"images": 9}, replace=False)


def test_a_run_of_other_settings_is_measured_anew_only_if_told(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    assert record_of(path, {"seed": 0}) is None
    write_json(path, {"settings": {"seed": 0}, "cycles": 3})
    assert record_of(path, {"seed": 0}) == {"settings": {"seed": 0}, "cycles": 3}
    with pytest.raises(SystemExit, match="seed 0 and not 1"):
        record_of(path, {"seed": 1})
    assert record_of(path, {"seed": 1}, replace=True) is None
