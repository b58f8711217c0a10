"""Which designs of a front the report shows."""

from __future__ import annotations

from export.reporting.choice import choose
from tests.export.reporting import fronts


def test_shows_the_exact_design_the_best_at_some_losses_and_what_was_fine_tuned():
    front = fronts.front()
    chosen = choose(front)
    assert chosen[0].record == front.exact
    assert chosen[0].label == "exact"
    assert len({one.record.id for one in chosen}) == len(chosen)
    ids = [one.record.id for one in chosen]
    assert {front.best(max_drop=drop).id for drop in (0, 0.01, 0.05)} <= set(ids)
    assert [one.record.id for one in chosen if one.record.fine_tuned_score is not None] == [
        record.id for record in front.evaluated if record.fine_tuned_score is not None
    ]
