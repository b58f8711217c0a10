"""Commands that print and save every figure the documentation quotes."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FIGURES = ROOT / "benchmarks/results"
"""Folder of the saved figures."""

# The networks and data of the examples, which are scripts and no package, are measured too.
sys.path.insert(0, str(ROOT / "examples"))
