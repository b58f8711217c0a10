"""The campaign of random networks: it goes on where it was stopped, and sees wrong bytes."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.exactness import random_networks
from export.operators.table import READERS


def test_it_goes_on_where_it_was_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def compare(seed: int) -> tuple[Counter[str], Counter[str]]:
        seen.append(seed)
        return Counter(host=3), Counter(ADD=1)

    monkeypatch.setattr(random_networks, "compare", compare)
    out = ["--output", str(tmp_path / "record.json")]
    assert random_networks.main([*out, "--networks", "2"]) == 0
    assert random_networks.main([*out, "--networks", "5"]) == 0
    assert seen == [0, 1, 2, 3, 4]
    record = json.loads((tmp_path / "record.json").read_text())
    assert record == {"networks": 5, "bytes": {"host": 15}, "operators": {"ADD": 5}, "failed": {}}


def test_wrong_bytes_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = random_networks.run_reference

    def wrong(*given):
        outputs = real(*given)
        several = outputs if isinstance(outputs, tuple) else (outputs,)
        return tuple(output ^ output.dtype.type(1) for output in several)

    monkeypatch.setattr(random_networks, "run_reference", wrong)
    out = tmp_path / "record.json"
    assert random_networks.main(["--output", str(out), "--networks", "1"]) == 1
    record = json.loads(out.read_text())
    assert "wrong bytes" in record["failed"]["0"]
    assert (record["networks"], record["bytes"]) == (1, {})
    monkeypatch.undo()
    assert random_networks.main(["--output", str(out), "--networks", "1"]) == 0
    record = json.loads(out.read_text())
    assert record["failed"] == {}
    assert record["bytes"]["host"] > record["bytes"]["cortex-m33"] / 2 > 0


def test_they_have_every_operator_with_a_reference() -> None:
    """Each operator that is read is in one at least, but for those that have no reference kernel."""
    record = json.loads(random_networks.RESULTS.read_text())
    assert set(READERS) - set(record["operators"]) == {"ELU", "SUM"}
    assert record["failed"] == {}
