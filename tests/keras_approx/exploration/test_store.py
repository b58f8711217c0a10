"""Nothing that was written is lost, wherever the file was torn; nothing else is believed."""

from __future__ import annotations

import json
import math
import resource
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_approx.errors import StoreError
from keras_approx.exploration.store import SCHEMA, Store
from tests.keras_approx.exploration.problems import record

PROBLEM = {"model": "0123", "seed": 0}
RECORDS = [record({"a": step / 8}, 100 * step, 1000.0 * step) for step in range(6)]


def _filled(path: Path) -> bytes:
    with Store(path, PROBLEM) as store:
        for one in RECORDS:
            store.add(one)
        store.sync()
    return path.read_bytes()


def test_records_come_back(tmp_path: Path) -> None:
    _filled(tmp_path / "deep" / "store.jsonl")
    with Store(tmp_path / "deep" / "store.jsonl", PROBLEM) as store:
        assert list(store.records.values()) == RECORDS


@given(data=st.data())
def test_torn_at_any_byte(data: st.DataObject, tmp_path_factory: Any) -> None:
    path = tmp_path_factory.mktemp("store") / "store.jsonl"
    content = _filled(path)
    length = data.draw(st.integers(0, len(content)))
    path.write_bytes(content[:length])
    whole = content[:length].count(b"\n")
    with Store(path, PROBLEM) as store:
        assert list(store.records.values()) == RECORDS[: max(whole - 1, 0)]
        for one in RECORDS[max(whole - 1, 0) :]:
            store.add(one)
    assert path.read_bytes() == content


def test_a_file_that_cannot_grow(tmp_path: Path) -> None:
    """As on a full disk: an error that names it, and what was written before comes back."""
    path = tmp_path / "store.jsonl"
    content = _filled(path)
    path.unlink()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        with (
            pytest.raises(StoreError, match=r"cannot add to .*: File too large; make room"),
            Store(path, PROBLEM) as store,
        ):
            store.add(RECORDS[0])
            resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 10, limits[1]))
            store.add(RECORDS[1])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    with Store(path, PROBLEM) as store:
        assert list(store.records.values()) == RECORDS[:1]
        for one in RECORDS[1:]:
            store.add(one)
    assert path.read_bytes() == content


def test_another_problem(tmp_path: Path) -> None:
    path = tmp_path / "store.jsonl"
    content = _filled(path)
    with pytest.raises(StoreError, match=r'another problem \(model was "0123", is "4567"\).*another folder'):
        Store(path, {**PROBLEM, "model": "4567"})
    with pytest.raises(StoreError, match="seed was 0, is null"):
        Store(path, {"model": "0123"})
    assert path.read_bytes() == content


def test_other_files(tmp_path: Path) -> None:
    path = tmp_path / "store.jsonl"
    content = _filled(path)
    lines = content.splitlines(keepends=True)
    header = json.loads(lines[0])
    for damaged, says in (
        (b"precious notes", "no store of evaluations"),
        (b"precious notes\n", "no store of evaluations.*Invalid JSON"),
        (b"{}\n", "no store of evaluations"),
        (json.dumps({**header, "problem": {"a": math.nan}}).encode() + b"\n", "another problem .*a was NaN"),
        (json.dumps({**header, "schema": 9}).encode() + b"\n", f"schema 9, this version reads {SCHEMA}"),
        (b"".join([*lines[:2], b"xx\n", *lines[3:]]), "line 3 of .* is no record.*Invalid JSON"),
        (b"".join([*lines[:2], b'{"design": 3}\n']), "line 3 of .* is no record"),
        (b"".join([*lines[:2], b"7\n"]), "line 3 of .* is no record"),
        (b"".join([*lines[:2], b"[" * 100_000 + b"\n"]), "line 3 of .* is no record"),
        (b"".join([*lines[:2], b"\xff\n"]), "line 3 of .* is no record"),
        (b"".join([*lines[:2], lines[2].replace(b'"images": ', b'"images": -')]), "images: .*greater than"),
        (
            b"".join([*lines[:2], lines[2].replace(b'"score": ', b'"score": 1e400')]),
            "line 3 of .* is no record",
        ),
    ):
        path.write_bytes(damaged)
        with pytest.raises(StoreError, match=says):
            Store(path, PROBLEM)
        assert path.read_bytes() == damaged


def test_numbers_must_be_numbers(tmp_path: Path) -> None:
    with Store(tmp_path / "store.jsonl", PROBLEM) as store, pytest.raises(ValueError, match="JSON"):
        store.add(record({"a": 0.5}, 1, float("nan")))
    with Store(tmp_path / "store.jsonl", PROBLEM) as store:
        assert not store.records


def test_a_store_that_another_process_writes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "store.jsonl"
    with Store(path, PROBLEM) as store:
        content = path.read_bytes()
        with pytest.raises(StoreError, match="is being written by another exploration: wait"):
            Store(path, PROBLEM)
        assert path.read_bytes() == content
        store.add(record({"a": 0.5}, 1, 2.0))
    with Store(path, PROBLEM) as store:
        assert len(store.records) == 1
