"""Written by `python benchmarks/plain_c.py`: cycles of units of work by core and kind of layer, bytes of code."""

from __future__ import annotations

from collections.abc import Mapping

CYCLES: Mapping[str, Mapping[str, Mapping[str, float]]] = {}
CODE_BYTES: Mapping[str, int] = {}
