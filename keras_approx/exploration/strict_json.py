"""Strict JSON: values that other programs could not read are errors when written."""

from __future__ import annotations

import json
from typing import Any

import numpy as np


def json_of(data: Any, indent: int | None = None) -> str:
    """The JSON text of data that may hold NumPy numbers and arrays.

    Raises:
        ValueError: If a number is NaN or infinite.
        TypeError: If something has no JSON.
    """
    return json.dumps(data, indent=indent, default=_plain, allow_nan=False)


def _plain(value: Any) -> Any:
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} {value!r} has no JSON: expected numbers, text, lists and dicts")
