"""Fronts made up for tests: figures follow from what is kept, and nothing is trained."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from keras_approx.exploration.design import Design
from keras_approx.exploration.front.pareto_front import ParetoFront
from keras_approx.exploration.records import EvaluatedDesign

NAMES = ("first", "second", "third")
IMAGES = 500


def record(
    names: Sequence[str], kept: Sequence[float], *, dropped: bool = False, images: int = IMAGES
) -> EvaluatedDesign:
    """The more is kept, the more cycles it takes and the more images are right."""
    share = float(np.mean(kept))
    correct = round(images * (0.9 - 0.5 * (1 - share) ** 2))
    values = dict(zip(names, map(float, kept), strict=True))
    costs = {"cycles": 1e6 + 9e6 * share, "flash": 5e4 + 1e5 * share, "ram": 22_592.0}
    return EvaluatedDesign(
        Design("fraction", "pair", values), correct / images, images, dropped, costs, share, values, 0.1
    )


def front(names: Sequence[str] = NAMES, count: int = 40, seed: int = 0, images: int = IMAGES) -> ParetoFront:
    """A front of so many random designs; one was fine-tuned and tested."""
    rng = np.random.default_rng(seed)
    kept = [rng.integers(1, 20, len(names)) / 20 for _ in range(count)]
    records = [record(names, one, dropped=n % 7 == 3, images=images) for n, one in enumerate(kept)]
    if records:
        tuned = {"fine_tuned_score": 0.88, "fine_tuned_costs": records[0].costs, "test_score": 0.87}
        records[0] = dataclasses.replace(records[0], **tuned)
    counts = [int(100 * np.exp(-(((n - 22) / 7) ** 2))) for n in range(40)]
    return ParetoFront(
        record(names, [1.0] * len(names), images=images),
        records,
        objectives=["cycles"],
        settings={
            "search": "budget",
            "significance": "energy",
            "images": {"validation": IMAGES},
            "exempt": [],
        },
        significance={name: {"edges": list(np.geomspace(1e-6, 1, 41)), "counts": counts} for name in names},
    )
