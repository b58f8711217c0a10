"""Searches against an imagined network of which everything is known."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable

import numpy as np
import pytest

from keras_approx.errors import OptionError
from keras_approx.exploration.design import Design
from keras_approx.exploration.front.pareto_front import pareto_designs
from keras_approx.exploration.records import EvaluatedDesign
from keras_approx.exploration.search.alone import Alone
from keras_approx.exploration.search.budget import Budget
from keras_approx.exploration.search.evolution import Evolve
from keras_approx.exploration.search.grid import Grid
from keras_approx.exploration.search.protocol import Proposal, Search
from keras_approx.exploration.search.space import Space, make_space

WEIGHTS = {"a": (100.0, 1.0), "b": (300.0, 8.0), "c": (50.0, 0.2)}  # cycles and harm if all is skipped
VALUES = [1.0, 0.8, 0.6, 0.4, 0.2]


def _measure(design: Design) -> EvaluatedDesign:
    """Distortion adds up over the layers; accuracy falls with it."""
    cycles = sum(full * design.value(name) for name, (full, _) in WEIGHTS.items())
    harm = sum(worst * (1 - design.value(name)) ** 2 for name, (_, worst) in WEIGHTS.items())
    if design.granularity == "block":
        cycles, harm = 0.8 * cycles, 1.5 * harm
    correct = round(900 - 40 * harm)
    return EvaluatedDesign(design, correct / 1000, 1000, False, {"cycles": cycles}, 0.5, {}, harm)


def _space(**options: object) -> Space:
    return make_space(
        list(WEIGHTS),
        **{"select": "fraction", "granularity": "pair", "values": VALUES, "exempt": (), **options},
    )


def _run(search: Search, space: Space, seed: int = 0) -> tuple[list[Proposal], dict[str, EvaluatedDesign]]:
    records: dict[str, EvaluatedDesign] = {}
    proposals = search.proposals(space, ["cycles"], seed)
    made = [next(proposals)]
    try:
        while True:
            found = [_measure(design) for design in made[-1].designs]
            records |= {record.id: record for record in found}
            made.append(proposals.send(found))
    except StopIteration:
        return made, records


def _front(records: dict[str, EvaluatedDesign]) -> list[EvaluatedDesign]:
    return pareto_designs(list(records.values()), ["cycles"])


def _everything(granularities: tuple[str, ...] = ("pair",)) -> dict[str, EvaluatedDesign]:
    designs = [
        Design("fraction", granularity, dict(zip(WEIGHTS, values, strict=True)))
        for granularity in granularities
        for values in itertools.product(VALUES, repeat=len(WEIGHTS))
    ]
    return {design.id: _measure(design) for design in designs}


def test_grid_is_every_combination() -> None:
    made, records = _run(Grid(), _space(granularity=["pair", "block"]))
    assert records.keys() == _everything(("pair", "block")).keys()
    first = {tuple(design.value(name) for name in WEIGHTS) for design in made[0].designs}
    assert first == {(value,) * 3 for value in VALUES}
    assert made[-1].remaining == 0


def test_grid_keeps_to_fixed_and_exempt_layers() -> None:
    _, records = _run(Grid(), _space(values={"a": [0.6], "*": VALUES}, exempt=["c"]))
    assert len(records) == 5
    assert {record.design.value("a") for record in records.values()} == {0.6}
    assert {record.design.value("c") for record in records.values()} == {1.0}


def test_grid_is_depth_first_and_lazy() -> None:
    fine = _space(values=np.linspace(0, 1, 101))  # a million designs
    proposals = Grid().proposals(fine, ["cycles"], 0)
    next(proposals)
    proposal = proposals.send([])
    assert len(proposal.designs) == 500
    assert proposal.remaining == 101**3 - 500
    assert len({design.value("a") for design in proposal.designs}) == 1
    assert [design.value("c") for design in proposal.designs[:3]] == [1.0, 0.99, 0.98]


def test_each_budget_gets_the_best_choice_there_is() -> None:
    made, records = _run(Budget(budgets=30, rounds=0), _space())
    assert [proposal.droppable for proposal in made] == [False, True]
    assert len(made[0].designs) == 1 + 3 * 4
    assert min(r.costs["cycles"] for r in records.values()) == pytest.approx(0.2 * 450)
    everything = [(r.costs["cycles"], r.distortion) for r in _everything().values()]
    chosen = {_measure(design).distortion for design in made[1].designs}
    for budget in np.linspace(0.2 * 450, 450, 30):
        best = min(harm for cycles, harm in everything if cycles <= budget + 1e-3)
        assert any(harm == pytest.approx(best, abs=1e-9) for harm in chosen)


def test_refinement_only_adds() -> None:
    _, few = _run(Budget(budgets=3, rounds=0), _space())
    made, more = _run(Budget(budgets=3, rounds=3), _space())
    assert few.keys() < more.keys()
    best = [(r.costs["cycles"], -r.right) for r in _front(_everything())]
    found = [(r.costs["cycles"], -r.right) for r in _front(more)]
    assert len(set(found) & set(best)) > len({(r.costs["cycles"], -r.right) for r in _front(few)} & set(best))
    ids = [design.id for proposal in made[2:] for design in proposal.designs]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("search", [Budget(rounds=1), Evolve(population=8, generations=3)])
def test_several_granularities_are_tried(search: Search) -> None:
    _, records = _run(search, _space(granularity=["pair", "block"]))
    assert {record.design.granularity for record in records.values()} == {"pair", "block"}


def test_evolution_gets_near_the_front() -> None:
    fine = _space(values=np.linspace(0.05, 1, 40))
    made, records = _run(Evolve(population=24, generations=15), fine)
    assert len(records) == sum(len(proposal.designs) for proposal in made)
    assert len(records) <= 24 * 16

    def area(found: list[EvaluatedDesign]) -> float:
        """Of what the front dominates, up to 450 cycles and down to no image right."""
        edges = [*(record.costs["cycles"] for record in found), 450.0]
        return sum(record.right * (edges[i + 1] - edges[i]) for i, record in enumerate(found))

    rng = np.random.default_rng(0)
    random = [fine.design(rng.integers(0, 40, 3).tolist(), "pair") for _ in range(len(records))]
    by_chance = area(_front({design.id: _measure(design) for design in random}))
    assert area(_front(records)) > 1.02 * by_chance


def test_evolution_ends_when_there_is_nothing_new() -> None:
    _, records = _run(Evolve(population=20, generations=50), _space(values=[1.0, 0.5]))
    assert len(records) == 8


@pytest.mark.parametrize("make", [Grid, Budget, Evolve])
def test_searches_repeat_themselves(make: Callable[[], Search]) -> None:
    first, _ = _run(make(), _space(), seed=5)
    second, _ = _run(make(), _space(), seed=5)
    assert first == second


def test_evolution_depends_on_the_seed() -> None:
    assert _run(Evolve(), _space(), seed=1)[0] != _run(Evolve(), _space(), seed=2)[0]


@pytest.mark.parametrize(
    ("make", "options", "says"),
    [
        (Budget, {"budgets": 0}, "budgets >= 1"),
        (Budget, {"rounds": -1}, "rounds >= 0"),
        (Evolve, {"population": 3}, "population >= 4"),
        (Evolve, {"mutation": 1.5}, "chance from 0 to 1"),
    ],
)
def test_options_out_of_range(make: Callable[..., Search], options: dict[str, float], says: str) -> None:
    with pytest.raises(OptionError, match=says):
        make(**options)


def test_budget_chooses_a_granularity_for_each_layer() -> None:
    """Blocks are cheaper in one layer and do harm in the others."""

    def measure(design: Design) -> EvaluatedDesign:
        cycles = harm = 0.0
        for name, (full, worst) in WEIGHTS.items():
            block = design.granularity_of(name) == "block" and name in design.values
            cycles += full * design.value(name) * (0.5 if block and name == "b" else 1.0)
            harm += worst * (1 - design.value(name)) ** 2 * (1.0 if name == "b" or not block else 3.0)
        return EvaluatedDesign(design, round(900 - 40 * harm), 1000, False, {"cycles": cycles}, 0.5, {}, harm)

    records: dict[str, EvaluatedDesign] = {}
    proposals = Budget().proposals(_space(granularity={"*": ("pair", "block")}), ["cycles"], 0)
    proposal = next(proposals)
    with contextlib.suppress(StopIteration):
        while True:
            found = [measure(design) for design in proposal.designs]
            records |= {record.id: record for record in found}
            proposal = proposals.send(found)
    front = [record.design for record in _front(records) if record.design.values]
    assert len(front) > 5
    for design in front:
        for name in design.values:
            assert design.granularity_of(name) == ("block" if name == "b" else "pair")


def test_each_layer_is_tried_alone() -> None:
    made, records = _run(Alone(), _space(granularity=["pair", "block"]))
    assert [proposal.droppable for proposal in made] == [False]
    assert len(records) == 2 * len(WEIGHTS) * (len(VALUES) - 1)
    assert all(len(record.design.values) == 1 for record in records.values())
