"""Moves of pointers by any distance, in one or more instructions."""

from __future__ import annotations

from export.kernels.language.steps import NEAR, Step, step


def moved(pointer: str, distance: int) -> list[Step]:
    """Moves a pointer."""
    return _steps(pointer, pointer, distance)


def moved_to(to: str, base: str, distance: int) -> list[Step]:
    """Makes another pointer, some bytes from the first; not none."""
    return _steps(to, base, distance)


def _steps(to: str, base: str, distance: int) -> list[Step]:
    steps = []
    name, left = ("POINT" if distance > 0 else "POINT_BACK"), abs(distance)
    while left:
        part = min(left, NEAR)
        steps.append(step(name, to, base, part))
        base, left = to, left - part
    return steps
