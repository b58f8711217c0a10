"""Data read from files: described by types, checked by pydantic before anything is made of it."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from keras_approx.storage.files import open_regular

# Types are taken as they stand: no number out of a text, no NaN, nothing that is not described.
STRICT = ConfigDict(strict=True, frozen=True, extra="forbid", allow_inf_nan=False)


class Record(BaseModel):
    """An object of a JSON file, of which every field is described."""

    model_config = STRICT


def read_bounded(path: Path, limit: int) -> bytes:
    """The content of a file of at most so many bytes.

    Raises:
        OSError: It cannot be read.
        ValueError: It is larger, no regular file, or no possible path.
    """
    with open_regular(path) as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise ValueError(f"it has more than {limit:,} bytes")
    return content


def explain(error: ValidationError) -> str:
    """What is wrong first, where it stands, and what stands there, in one line."""
    first = error.errors(include_url=False)[0]
    wrong = first["msg"].removeprefix("Value error, ")  # what our own checks raise
    where = ".".join(map(str, first["loc"]))
    came = repr(first["input"]) if not isinstance(first["input"], dict | list | bytes) else ""
    shown = (
        f", got {came if len(came) <= 60 else came[:57] + '...'}"
        if came and first["type"] != "missing"
        else ""
    )
    return f"{where + ': ' if where else ''}{wrong}{shown}"
