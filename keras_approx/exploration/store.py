"""The store: evaluated designs on disk, one line of JSON each, appended as soon as it is known.

The first line says which problem it is about. A process that is killed leaves at worst a torn last line, which the
next one drops; everything before it is kept.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from keras_approx.errors import StoreError
from keras_approx.exploration.records import RECORD, EvaluatedDesign
from keras_approx.exploration.strict_json import json_of
from keras_approx.storage.locks import try_lock
from keras_approx.storage.schema import explain

FORMAT = "keras_approx evaluations"
SCHEMA = 2


class Store:
    """A file of records, open for adding more; a context manager.

    Args:
        path: The file; it is made if there is none.
        problem: What the records are about, as JSON has it; records of another problem mean nothing here.

    Raises:
        StoreError: If another process has it open, the file is about another problem, is something else, was damaged
            before its end, or cannot take more.
        OSError: If it cannot be opened or read.
    """

    def __init__(self, path: str | Path, problem: Mapping[str, Any]) -> None:
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        header = json.loads(json_of({"format": FORMAT, "schema": SCHEMA, "problem": problem}))
        self._file = open(self.path, "a+b")  # noqa: SIM115 - closed by close()
        try:
            self.records = self._read(header)
        except BaseException:
            self._file.close()
            raise

    def _read(self, header: Mapping[str, Any]) -> dict[str, EvaluatedDesign]:
        """The records there are; the file then ends behind the last whole one."""
        if not try_lock(self._file):
            raise StoreError(
                f"{self.path} is being written by another exploration: wait until it has finished, or explore in "
                "another folder (out=)"
            )
        self._file.seek(0)
        content = self._file.read()
        whole = content[: content.rfind(b"\n") + 1]
        lines = whole.splitlines()
        if lines:
            _check_header(self.path, lines[0], header)
        elif content and not (json_of(header) + "\n").encode().startswith(content):
            raise StoreError(f"{self.path} is no store of evaluations: expected a first line that says so")
        records: dict[str, EvaluatedDesign] = {}
        for number, line in enumerate(lines[1:], start=2):
            record = _record(self.path, number, line)
            records[record.id] = record
        self._file.truncate(len(whole))
        if not lines:
            self._write(header)
        return records

    def add(self, record: EvaluatedDesign) -> None:
        """Adds a record. It survives the death of this process; see `sync` for that of the machine."""
        self._write(record.to_json())
        self.records[record.id] = record

    def sync(self) -> None:
        """Waits until all records are on the disk."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Closes the file."""
        with suppress(OSError):  # of a line that could not be written, which was told
            self._file.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _write(self, data: Any) -> None:
        try:
            self._file.write((json_of(data) + "\n").encode())
            self._file.flush()
        except OSError as error:
            raise StoreError(
                f"cannot add to {self.path}: {error.strerror}; make room, and explore again with the same options, "
                "which goes on from what was measured before"
            ) from error


class _Header(BaseModel):
    """The first line; its problem is compared, whatever it is."""

    model_config = ConfigDict(strict=True)
    format: Literal["keras_approx evaluations"]
    version: int = Field(alias="schema")
    problem: dict[str, Any]


def _record(path: Path, number: int, line: bytes) -> EvaluatedDesign:
    try:
        return RECORD.validate_json(line)
    except ValidationError as error:
        raise StoreError(
            f"line {number} of {path} is no record of a design: {explain(error)}; remove the line, or explore in "
            "another folder"
        ) from error


def _check_header(path: Path, line: bytes, expected: Mapping[str, Any]) -> None:
    try:
        found = _Header.model_validate_json(line)
    except ValidationError as error:
        raise StoreError(
            f"{path} is no store of evaluations: expected a first line that says so, got {explain(error)}"
        ) from error
    if found.version != expected["schema"]:
        raise StoreError(f"{path} has schema {found.version}, this version reads {expected['schema']}")
    old, new = found.problem, expected["problem"]
    differing = [key for key in {**old, **new} if old.get(key) != new.get(key)]
    if differing:
        listed = "; ".join(
            f"{key} was {_short(old.get(key))}, is {_short(new.get(key))}" for key in differing
        )
        raise StoreError(
            f"{path} holds evaluations of another problem ({listed}): explore in another folder (out=), or "
            "remove that one"
        )


def _short(value: Any) -> str:
    text = json.dumps(value, default=str)  # a damaged file may hold NaN
    return text if len(text) <= 60 else text[:57] + "..."
