"""A CMSIS-style int8 kernel set of our own, to compare generated code with: im2col, 2 x 2 blocks, SMLAD."""

from benchmarks.cycles.baseline.project import write_baseline

__all__ = ["write_baseline"]
