"""How much a ranking on few images flatters the best design."""

from __future__ import annotations

from export.reporting.sections.front import ranking_flattery


def test_few_images_flatter_the_best_of_many_designs():
    assert ranking_flattery(126, 140, 5_000) > 0.1
    assert ranking_flattery(9_000, 10_000, 5_000) < 0.015
    assert ranking_flattery(140, 140, 5_000) > 0.05  # none wrong is no certainty
    assert ranking_flattery(140, 140, 5_000) > ranking_flattery(140, 140, 50)
