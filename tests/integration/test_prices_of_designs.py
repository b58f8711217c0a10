"""What an exploration says that a design costs is what its export costs, with the weights that elimination fits."""

from __future__ import annotations

from pathlib import Path

import export
import keras_approx
from keras_approx import Budget
from keras_approx.exploration.evaluate.packing import unmasked_copy
from tests.keras_approx.exploration.problems import Small, small


def test_designs_cost_what_their_exports_cost(tmp_path: Path) -> None:
    problem: Small = small()
    front = keras_approx.explore(
        problem.model,
        calibration=problem.calibration,
        validation=(problem.images, problem.labels),
        price=export.Pricer(problem.model, target="cortex-m33"),
        search=Budget(budgets=3, rounds=0),
        values=[1.0, 0.6, 0.3],
        out=tmp_path,
        verbose=False,
    )
    assert front.settings["significance"] == "elimination"
    skipping = [record for record in front.evaluated if record.design.values]
    budget = sorted(record.costs["cycles"] for record in skipping)[len(skipping) // 2]
    chosen = front.best(max_cycles=budget)
    for record in {chosen.id: chosen, skipping[0].id: skipping[0]}.values():
        model = unmasked_copy(problem.model)
        keras_approx.apply_design(front, record, model, calibration=problem.calibration)
        assert export.estimate(model, target="cortex-m33").cycles == record.costs["cycles"]
