"""A front says what is best, and survives a file."""

from __future__ import annotations

import csv
import dataclasses
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_approx.errors import OptionError, StoreError
from keras_approx.exploration.design import Design
from keras_approx.exploration.front.file import load_front, save_front
from keras_approx.exploration.front.pareto_front import ParetoFront
from keras_approx.exploration.front.plotting import plot_front, plot_sensitivity
from keras_approx.exploration.front.tables import write_front_csv
from keras_approx.exploration.records import EvaluatedDesign
from tests.keras_approx.exploration.problems import record

EXACT = record({}, 800, 1000, flash=90.0)
GOOD = record({"a": 0.5}, 800, 700, flash=80.0)
FAST = record({"a": 0.25}, 792, 400, flash=60.0)
SMALL = record({"b": 0.25}, 792, 500, flash=20.0)
BAD = record({"a": 0.1}, 500, 800, flash=50.0)
DROPPED = record({"a": 0.3}, 250, 300, images=250, dropped=True, flash=10.0)
SIGNIFICANCE = {"a": {"edges": [0.5, 1.0, 2.0], "counts": [3, 4]}}


def _front(*records: EvaluatedDesign, objectives: tuple[str, ...] = ("cycles",)) -> ParetoFront:
    chosen = records or (EXACT, GOOD, FAST, SMALL, BAD, DROPPED)
    return ParetoFront(
        EXACT, chosen, objectives=objectives, settings={"search": "grid"}, significance=SIGNIFICANCE
    )


def test_the_front_is_sorted_and_leaves_out_what_was_dropped() -> None:
    assert _front().designs == (FAST, GOOD)
    assert _front(objectives=("cycles", "flash")).designs == (FAST, SMALL, GOOD)
    assert _front().exact == EXACT
    assert set(_front().evaluated) == {EXACT, GOOD, FAST, SMALL, BAD, DROPPED}


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({"max_drop": 0.0}, GOOD),
        ({"max_drop": 0.008}, FAST),
        ({"max_drop": 0.0079}, GOOD),
        ({"max_cycles": 699}, FAST),
        ({"max_flash": 20}, SMALL),
        ({"max_cycles": 10_000}, GOOD),
        ({"max_drop": 0.01, "max_flash": 50}, SMALL),
    ],
)
def test_best(limits: dict[str, float], expected: EvaluatedDesign) -> None:
    assert _front().best(**limits) == expected


def test_limits_that_none_keeps_are_told_the_lowest() -> None:
    with pytest.raises(OptionError, match=r"the lowest there are: cycles 400, flash 20; allow more"):
        _front().best(max_cycles=399, max_flash=19)


def test_best_after_fine_tuning() -> None:
    front = _front()
    with pytest.raises(OptionError, match="no fine-tuned design of 6 is within the limits"):
        front.best(max_drop=0.0, fine_tuned=True)
    front.annotate(FAST, fine_tuned_score=0.795, fine_tuned_costs={"cycles": 450.0})
    tuned = front.annotate(SMALL, fine_tuned_score=0.8)
    assert front.best(max_drop=0.0, fine_tuned=True) == tuned
    assert front.best(max_drop=0.005, fine_tuned=True).id == FAST.id
    assert front.best(max_cycles=449, fine_tuned=False).id == FAST.id
    with pytest.raises(OptionError, match="no fine-tuned"):
        front.best(max_cycles=449, fine_tuned=True)
    front.annotate(EXACT, fine_tuned_score=0.81)
    with pytest.raises(OptionError, match="no fine-tuned"):
        front.best(max_drop=0.005, max_cycles=900, fine_tuned=True)
    assert front.best(max_drop=0.01, fine_tuned=True) == tuned


def test_best_without_limits_or_beyond_them() -> None:
    with pytest.raises(OptionError, match="at least one limit"):
        _front().best()
    with pytest.raises(OptionError, match="no design of 6"):
        _front().best(max_cycles=10)
    with pytest.raises(OptionError, match="ram was not measured, only cycles, flash"):
        _front().best(max_ram=10)
    with pytest.raises(OptionError, match=r"0\.01 is one percentage point; got 1"):
        _front().best(max_drop=1)


def _errors(**settings: str) -> ParetoFront:
    """The same designs with an error in place of the accuracy: the lower the better."""
    records = [
        dataclasses.replace(one, score=4.0 - 4 * one.score, higher_is_better=False)
        for one in (EXACT, GOOD, FAST, SMALL, BAD, DROPPED)
    ]
    return ParetoFront(
        records[0], records, objectives=("cycles",), settings=settings, significance=SIGNIFICANCE
    )


def test_an_error_may_rise_by_what_is_allowed(tmp_path: Path) -> None:
    front = _errors(metric="mae")
    assert [record.id for record in front.designs] == [FAST.id, GOOD.id]
    assert front.exact.score == pytest.approx(0.8)
    assert front.best(max_drop=0.0).id == GOOD.id
    assert front.best(max_drop=0.032).id == FAST.id
    assert front.best(max_drop=0.031).id == GOOD.id
    assert front.best(max_drop=5).id == FAST.id
    assert front.best(max_cycles=450).id == FAST.id
    front.annotate(SMALL, fine_tuned_score=0.7)
    assert front.best(max_drop=0.0, fine_tuned=True).id == SMALL.id
    for drop in (-0.1, float("inf"), float("nan")):
        with pytest.raises(OptionError, match="by how much the mae may be worse"):
            front.best(max_drop=drop)
    assert "mae" in repr(front)
    assert "0.8" in front._repr_html_()
    assert [loss.text for loss in front.losses()] == ["0 %", "1 %", "5 %"]
    assert front.losses()[1].drop == pytest.approx(0.008)
    figure = plot_front(front)
    assert figure.axes[0].get_ylabel() == "validation mae"
    write_front_csv(front, tmp_path / "front.csv")
    with open(tmp_path / "front.csv", newline="", encoding="utf-8") as file:
        assert {"mae", "fine_tuned_mae", "test_mae"} <= set(next(csv.reader(file)))
    save_front(front, tmp_path / "front.json")
    again = load_front(tmp_path / "front.json")
    assert (again.metric, again.designs) == ("mae", front.designs)
    data = json.loads((tmp_path / "front.json").read_text())
    data["evaluated"][0]["higher_is_better"] = True
    (tmp_path / "front.json").write_text(json.dumps(data))
    with pytest.raises(StoreError, match="higher_is_better differs between designs"):
        load_front(tmp_path / "front.json")


def test_notes_are_kept(tmp_path: Path) -> None:
    front = _front()
    front.annotate(GOOD, test_score=0.79)
    save_front(front, tmp_path / "front.json")
    assert load_front(tmp_path / "front.json")[GOOD.design].test_score == 0.79
    with pytest.raises(KeyError):
        front.annotate(record({"b": 0.9}, 1, 1), test_score=0.5)
    with pytest.raises(TypeError):
        front.annotate(GOOD, speed=3)


records = st.lists(
    st.builds(
        record,
        values=st.dictionaries(st.sampled_from(["a", "b"]), st.floats(0, 1), min_size=1),
        correct=st.integers(0, 1000),
        cycles=st.floats(0, 1e9),
        dropped=st.booleans(),
        flash=st.floats(0, 1e6),
    )
)


@given(chosen=records)
def test_saving_keeps_everything(chosen: list[EvaluatedDesign], tmp_path_factory: Any) -> None:
    path = tmp_path_factory.mktemp("front") / "deep" / "front.json"
    front = _front(*chosen)
    save_front(front, path)
    again = load_front(path)
    assert again.evaluated == front.evaluated
    assert again.designs == front.designs
    assert (again.exact, again.objectives, again.settings) == (front.exact, front.objectives, front.settings)
    assert again.significance == front.significance
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("save", [save_front, write_front_csv])
def test_a_kill_while_saving_leaves_the_old_file_and_no_other_after_the_next(
    save: Callable[[ParetoFront, Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / f"{'long' * 60}.json"
    save(_front(), path)
    before = path.read_bytes()

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    processes = iter(range(1, 9))
    monkeypatch.setattr("os.getpid", lambda: next(processes))  # another process each time
    with monkeypatch.context() as patched:
        patched.setattr("os.replace", killed)
        with pytest.raises(KeyboardInterrupt):
            save(_front(EXACT), path)
    assert path.read_bytes() == before
    save(_front(EXACT), path)
    assert path.read_bytes() != before
    assert list(tmp_path.iterdir()) == [path]


def _with_ram(data: dict[str, Any]) -> dict[str, Any]:
    return {
        **data,
        "evaluated": [{**one, "costs": {**one["costs"], "ram": 1.0}} for one in data["evaluated"]],
    }


def _without(data: dict[str, Any], field: str, name: str) -> dict[str, Any]:
    """A front whose last design has no such entry in a field."""
    *others, last = data["evaluated"]
    left = {key: value for key, value in last[field].items() if key != name}
    return {**data, "evaluated": [*others, {**last, field: left}]}


def test_the_file_says_what_it_is(tmp_path: Path) -> None:
    path = tmp_path / "front.json"
    save_front(_front(), path)
    data = json.loads(path.read_text())
    assert data["schema"] == 2
    assert data["front"] == [FAST.id, GOOD.id]
    assert data["evaluated"][0]["score"] > 0
    for text, says in (
        ("nonsense", "Invalid JSON"),
        ("[" * 100_000, "recursion limit"),
        ("[]", "should be an object"),
        (json.dumps({**data, "format": "other"}), "format: .*, got 'other'"),
        (json.dumps({**data, "schema": 1}), "schema: Input should be 2, got 1"),
        (json.dumps({**data, "exact": "0"}), "the exact design is missing"),
        (json.dumps({**data, "objectives": ["time"]}), "the cost 'time' is missing"),
        (json.dumps({**data, "evaluated": [{}]}), "evaluated.0.design: Field required"),
        (json.dumps(_without(_with_ram(data), "costs", "ram")), "the cost 'ram' is missing"),
        (json.dumps(_without(data, "kept_by_layer", "b")), "the kept share of the layer 'b' is missing"),
        (
            json.dumps({**data, "evaluated": [{**data["evaluated"][0], "images": 0}]}),
            "images: .*greater than",
        ),
        (
            json.dumps({**data, "evaluated": [{**data["evaluated"][0], "kept": "all"}]}),
            "kept: .* number, got 'all'",
        ),
        (json.dumps({**data, "settings": []}), "settings: "),
        (json.dumps({**data, "settings": {"a": [float("nan")]}}), "not JSON compliant"),
        (json.dumps({**data, "significance": {"a": {"edges": [], "counts": []}}}), "one edge more"),
    ):
        path.write_text(text)
        with pytest.raises(StoreError, match=f"not a Pareto front.*{says}"):
            load_front(path)


def test_csv(tmp_path: Path) -> None:
    write_front_csv(_front(), tmp_path / "front.csv")
    with open(tmp_path / "front.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["id"] for row in rows[:2]] == [FAST.id, GOOD.id]
    assert [row["front"] for row in rows] == ["True"] * 2 + ["False"] * 4
    assert rows[0]["accuracy"] == "0.792"
    assert (rows[0]["value:a"], rows[0]["value:b"], rows[0]["kept:b"]) == ("0.25", "1.0", "1.0")
    assert rows[0]["flash"] == "60.0"


def test_plot(tmp_path: Path) -> None:
    front = _front()
    front.annotate(FAST, fine_tuned_score=0.795)
    figure = plot_front(front, tmp_path / "front.png", objective="flash")
    assert (tmp_path / "front.png").read_bytes().startswith(b"\x89PNG")
    assert figure.axes[0].get_xlabel() == "flash"
    assert plot_front(front).axes[0].get_xlabel() == "cycles, thousands"
    with pytest.raises(OptionError, match="'ram' was not measured; these costs were: cycles, flash"):
        plot_front(front, objective="ram")


def test_sensitivity_is_by_layer_and_granularity(tmp_path: Path) -> None:
    exact = record({}, 900, 1000.0)
    alone = [record({"b": 0.5}, 850, 700.0), record({"a": 0.5}, 880, 800.0), record({"a": 0.2}, 700, 600.0)]
    kernels = dataclasses.replace(
        alone[1], design=Design(granularity="kernel", values={"a": 0.5}), score=0.86
    )
    both = record({"a": 0.5, "b": 0.5}, 800, 500.0)
    front = ParetoFront(exact, [*alone, kernels, both], objectives=["cycles"], settings={}, significance={})
    found = front.sensitivity()
    assert list(found) == [("a", "kernel"), ("a", "pair"), ("b", "pair")]
    assert found["a", "pair"] == [alone[2], alone[1], exact]
    assert found["a", "kernel"] == [kernels, exact]
    figure = plot_sensitivity(front, tmp_path / "layers.png")
    assert (tmp_path / "layers.png").read_bytes().startswith(b"\x89PNG")
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert labels == ["a, kernel", "a, pair", "b, pair"]
    with pytest.raises(OptionError, match="one layer alone"):
        plot_sensitivity(ParetoFront(exact, [both], objectives=["cycles"], settings={}, significance={}))


def test_plot_without_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"keras_approx\[plots\]"):
        plot_front(_front())


@pytest.mark.parametrize("field", ["score", "fine_tuned_score", "test_score"])
def test_an_accuracy_in_a_file_is_a_share(tmp_path: Path, field: str) -> None:
    path = tmp_path / "front.json"
    save_front(_front(), path)
    content = json.loads(path.read_text())
    content["evaluated"][0][field] = 1.5
    path.write_text(json.dumps(content))
    with pytest.raises(StoreError, match=r"accuracy is a share from 0 to 1, got 1\.5"):
        load_front(path)
    content["settings"]["metric"] = "mae"
    path.write_text(json.dumps(content))
    assert load_front(path).metric == "mae"
