"""Tables of exact and skipping models from several seeds."""

from __future__ import annotations

from typing import Any

from benchmarks.pages import accuracy_tables, no_loss_tables
from tests.benchmarks.pages.saved import cells_of, entry


def test_no_loss_has_a_row_for_each_seed_and_one_of_means() -> None:
    def record(seed: int, accuracy: float, **options: Any) -> dict[str, Any]:
        settings = {"network": "lenet", "epochs": 12, "seed": seed, "options": options}
        return {
            "settings": settings,
            "test_accuracy": accuracy,
            "cycles": 1_600_000 if options else 1_900_000,
        }

    records = [record(1, 0.8), record(0, 0.81), record(0, 0.81, design={}), record(1, 0.798, design={})]
    _, _, first, second, mean = no_loss_tables.no_loss([*records, record(2, 0.9)]).splitlines()
    assert first.startswith("| lenet | 12 | 0 | 81.00 % | 81.00 % | +0.00 | 1,900,000 | 1,600,000 |")
    assert second.startswith("| lenet | 12 | 1 | 80.00 % | 79.80 % | -0.20 |")
    assert mean.startswith("| lenet | 12 | mean | 80.50 % | 80.40 % | -0.10 |")


def test_means_of_three_seeds_that_lose_nothing_are_a_tier() -> None:
    def record(seed: int, accuracy: float, epochs: int, **options: Any) -> dict[str, Any]:
        settings = {"network": "lenet", "epochs": epochs, "seed": seed, "options": options}
        cycles = (1_500_000 if epochs == 9 else 1_600_000) if options else 1_900_000
        return {"settings": settings, "test_accuracy": accuracy, "cycles": cycles}

    exact = [record(seed, 0.81, epochs) for seed in range(3) for epochs in (9, 12)]
    level = [record(seed, right, 12, design={}) for seed, right in enumerate((0.811, 0.809, 0.81))]
    worse = [record(seed, 0.8094, 9, design={}) for seed in range(3)]
    assert no_loss_tables.proven([*exact, *level[:2], *worse]) == {}  # too few seeds, and 0.06 points
    proven = no_loss_tables.proven([*exact, *level, *worse])
    assert proven["lenet"].cycles == (1_900_000, 1_600_000)
    assert no_loss_tables.proven_exact(proven) == "81.00 % for lenet"
    entries = {"exact": entry(0.81, 1_900_000)}
    first, second = cells_of(accuracy_tables.summary({"networks": {"lenet": entries}}, proven))
    assert first[1] == "no loss: designed, mean of 3 trainings of 12 epochs"
    assert first[2:4] == ["81.00 % (+0.00)", "1,600,000"]
    assert second[1] == "exact int8"
    (first,) = cells_of(accuracy_tables.tiers({"networks": {"lenet": entries}}, proven))
    assert first[1:4] == ["no loss", "designed, mean of 3 trainings of 12 epochs", "1,600,000, reached"]
