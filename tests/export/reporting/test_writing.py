"""The report as a whole: what is written, that it is whole, safe and the same each time."""

from __future__ import annotations

import dataclasses
import json
import re
import sys
from typing import Any

import numpy as np
import pytest

import export
from export.errors import InputError, ModelFormatError, OutputPathError, ToolError
from export.reporting import writing
from export.reporting.format.style import COLORS
from keras_approx.errors import StoreError
from keras_approx.exploration.front.file import save_front
from keras_approx.exploration.front.pareto_front import ParetoFront
from tests.export import handmade
from tests.export.reporting import fronts
from tests.export.reporting.pages import HOSTILE, check_page


@pytest.fixture(scope="module")
def written(exported, tmp_path_factory):
    folder = tmp_path_factory.mktemp("written")
    front = fronts.front()
    save_front(front, folder / "front.json")
    path = export.report(
        folder / "front.json",
        folder / "report",
        exports=exported,
        baselines=[export.Baseline("CMSIS-NN", 30e6)],
        title="lenet",
    )
    assert path == folder / "report" / "report.html"
    return front, path


def test_exports_alone_make_a_report(exported, tmp_path):
    path = export.report(None, tmp_path / "report", exports=exported)
    page, text = check_page(path.read_text()), path.with_suffix(".md").read_text()
    for heading in (
        "Layer by layer",
        "What would make it faster",
        "Memory over time",
        "Against the core's limit",
    ):
        assert f"## {heading}" in text.replace("\\", "")
        assert heading in page.text
    assert "exact is a network of" in page.text
    assert not (path.parent / "front.png").exists()
    with pytest.raises(InputError, match="got neither"):
        export.report(None, tmp_path / "none")
    with pytest.raises(InputError, match="baselines are drawn beside a front"):
        export.report(None, tmp_path / "none", exports=exported, baselines=[export.Baseline("other", 1.0)])
    assert not (tmp_path / "none").exists()


def test_few_images_are_warned_of(tmp_path):
    few, many = fronts.front(images=140), fronts.front(images=50_000)
    assert "Warning:" in export.report(few, tmp_path / "few").with_suffix(".md").read_text()
    assert "Warning:" not in export.report(many, tmp_path / "many").with_suffix(".md").read_text()


def test_says_what_the_significance_is(tmp_path):
    texts = []
    for significance in ("energy", "elimination"):
        front = fronts.front()
        front.settings["significance"] = significance
        texts.append(export.report(front, tmp_path / significance).with_suffix(".md").read_text())
    assert "(the metric here: energy)" in texts[0]
    assert "refitting what is left" not in texts[0]
    assert "refitting what is left" in texts[1]
    assert "the metric here" not in texts[1]


def test_writes_one_page_and_the_same_as_markdown_with_pictures(written):
    front, path = written
    files = {file.name for file in path.parent.iterdir()}
    assert files >= {"report.html", "report.md", "front.png", "kept.png", "layers.png", "significance.png"}
    assert {"memory.png", "limit.png", "limit-2.png"} <= files
    page, text = check_page(path.read_text()), path.with_suffix(".md").read_text()
    pictures = re.findall(r"^!\[.+\]\((\S+\.png)\)$", text, re.MULTILINE)
    assert sorted([*pictures, "report.html", "report.md"]) == sorted(files)
    for name in pictures:
        assert (path.parent / name).read_bytes().startswith(b"\x89PNG")
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert len(headings) == 7
    assert [heading in page.text for heading in headings] == [True] * 7
    best = front.best(max_drop=0.01)
    for shown in (best.id, "CMSIS-NN", "validation images", "test", "nucleo-u575zi-q", "second"):
        assert shown in page.text
        assert shown in text
    assert path.read_text().count("<svg") == len(pictures)


def test_rows_of_tables_have_the_columns_of_their_heads(written):
    text = written[1].with_suffix(".md").read_text()
    for table in re.findall(r"(?:^\|.*\|\n?)+", text, re.MULTILINE):
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(widths) == 1


def test_the_same_front_gives_the_same_bytes(written, exported, tmp_path):
    front, path = written
    export.report(
        front, tmp_path, exports=exported, baselines=[export.Baseline("CMSIS-NN", 30e6)], title="lenet"
    )
    for file in path.parent.iterdir():
        assert (tmp_path / file.name).read_bytes() == file.read_bytes(), file.name


def test_pictures_take_the_colors_of_the_page(written):
    """Every color in a picture is one of the style sheet's variables, which all are there for light and dark."""
    text = written[1].read_text()
    style = text[: text.index("</style>")]
    light, dark = style.split("@media (prefers-color-scheme: dark)")
    defined = [dict(re.findall(r"--([a-z]+): (#[0-9a-f]{6});", part)) for part in (light, dark)]
    assert set(defined[0]) == set(defined[1])
    assert {name: color.lower() for name, color in COLORS.items()}.items() <= defined[0].items()
    pictures = text[text.index("</style>") :]
    assert set(re.findall(r"var\(--([a-z]+)\)", text)) <= set(defined[0])
    assert re.findall(r"(?:fill|stroke): *(#[0-9a-fA-F]+)", pictures) == []


def test_hostile_names_are_shown_and_nothing_else(tmp_path):
    """Names of layers, exports, baselines and settings come from models and users."""
    front = fronts.front(HOSTILE)
    front.settings["model_name"] = HOSTILE[0]
    front.settings[HOSTILE[5]] = {HOSTILE[1]: HOSTILE[2]}
    layers = [
        {
            "index": number,
            "kind": name,
            "name": name,
            "source": "model_00_dense.c",
            "kernel": name,
            "macs": 9,
            "kept_macs": 3,
            "predicted_cycles": 8,
            "predicted_board_cycles": None,
            "copied_bytes": 0,
            "predicted_flash_bytes": 7,
            "roofline_cycles": 2,
        }
        for number, name in enumerate(HOSTILE)
    ]
    buffers = [{"name": HOSTILE[0], "offset": 0, "bytes": 48, "first_layer": 0, "last_layer": 5}]
    folder = handmade.write(tmp_path / "out", layers=layers, buffers=buffers)
    path = export.report(
        front,
        tmp_path / "report",
        exports={HOSTILE[1]: folder},
        baselines=[export.Baseline(name, 2e7) for name in HOSTILE],
        title=HOSTILE[0],
    )
    plain = check_page(path.read_text())
    for name in HOSTILE[:4]:
        assert name in plain.text
    assert not re.search("[\x00-\x09\x0b-\x1f\u202e]", path.read_text() + path.with_suffix(".md").read_text())
    text = path.with_suffix(".md").read_text()
    assert not re.search(r"(?<!\\)[<`*_]", re.sub(r"^!\[", "", text, flags=re.MULTILINE))
    assert len(re.findall(r"(?<!\\)\]\(", text)) == text.count(".png)")


@pytest.mark.parametrize("count", [0, 1])
def test_reports_on_almost_nothing(count, tmp_path):
    front = fronts.front(count=count)
    page = check_page(export.report(front, tmp_path).read_text())
    assert "No design that costs clearly less" in page.text or count


def test_reports_on_products_where_nothing_was_priced(tmp_path):
    source = fronts.front()
    records = [
        dataclasses.replace(one, costs={"products": 1e6 * one.kept}, fine_tuned_costs=None)
        for one in source.evaluated
    ]
    exact = next(one for one in records if one.id == source.exact.id)
    front = ParetoFront(exact, records, objectives=["products"], settings={}, significance={})
    page = check_page(
        export.report(front, tmp_path, baselines=[export.Baseline("CMSIS-NN", 1e7)]).read_text()
    )
    assert "million products" in page.text
    assert "CMSIS-NN" not in page.text
    assert "What is skipped" not in page.text


def test_reports_on_an_error_that_is_to_stay_small(tmp_path):
    source = fronts.front()
    records = [
        dataclasses.replace(
            one,
            score=0.2 - 0.1 * one.score,
            higher_is_better=False,
            fine_tuned_score=None if one.fine_tuned_score is None else 0.1123,
            test_score=None if one.test_score is None else 0.1234,
        )
        for one in source.evaluated
    ]
    exact = next(one for one in records if one.id == source.exact.id)
    front = ParetoFront(exact, records, objectives=["cycles"], settings={"metric": "mae"}, significance={})
    page = check_page(export.report(front, tmp_path).read_text())
    assert "Mae against cost" in page.text
    assert "has a mae of 0.11 on the validation images" in page.text
    assert (
        "has a mae of 0.1123 on the validation images, and has a mae of 0.1234 on the test images"
        in page.text
    )
    assert "less is better" in page.text
    assert "confidence" not in page.text
    assert "% of the validation images" not in page.text


def test_measured_cycles_stand_in_for_predicted_ones(exported, tmp_path):
    measured = export.simulate(exported["half"], np.zeros((1, 9, 9, 3), np.int8))
    measured.save(tmp_path / "half.json")
    texts = []
    for source in (measured, tmp_path / "half.json"):
        path = export.report(
            fronts.front(), tmp_path / "report", exports=exported, measurements={"half": source}
        )
        texts.append(path.with_suffix(".md").read_text())
    assert texts[0] == texts[1]
    assert "measured by simulation for half, otherwise predicted" in texts[0]
    assert f"{measured.cycles:,}" in texts[0] or f"{measured.cycles / 1e3:.1f} k" in texts[0]

    content = json.loads((tmp_path / "half.json").read_text())
    broken: Any
    for broken in ({**content, "per_layer": content["per_layer"][1:]}, {}, []):
        (tmp_path / "broken.json").write_text(json.dumps(broken))
        with pytest.raises(InputError, match="measurement"):
            export.report(
                fronts.front(),
                tmp_path / "r",
                exports=exported,
                measurements={"half": tmp_path / "broken.json"},
            )
    other = {**content, "core": "cortex-m7", "board": None}
    (tmp_path / "other.json").write_text(json.dumps(other))
    with pytest.raises(InputError, match="is of a cortex-m7, the export was made for a cortex-m"):
        export.report(None, tmp_path / "r", exports=exported, measurements={"half": tmp_path / "other.json"})
    with pytest.raises(InputError, match="is of no export; exports: exact, half"):
        export.report(fronts.front(), tmp_path / "r", exports=exported, measurements={"other": measured})
    assert not (tmp_path / "r").exists()


def test_what_has_no_price_is_left_empty(tmp_path):
    folder = handmade.write(tmp_path / "out", target={"core": "host", "board": None})
    path = export.report(None, tmp_path / "report", exports=[folder])
    text = path.with_suffix(".md").read_text()
    assert "Its cycles are not known: host has no prices." in text
    assert "| out | host |  |  |  |  | 48 B |  |" in text
    assert "| all layers |  |  | 32 | 0.0 % |  |  |  |" in text


def test_a_report_that_fails_leaves_the_old_one(tmp_path, monkeypatch):
    export.report(fronts.front(images=140), tmp_path)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}

    def broken(document):
        raise RuntimeError("no page")

    monkeypatch.setattr(writing, "write_html", broken)
    for folder in (tmp_path, tmp_path / "new"):
        with pytest.raises(RuntimeError, match="no page"):
            export.report(fronts.front(images=50_000), folder)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_says_what_is_wrong(exported, tmp_path, monkeypatch):
    front = fronts.front()
    with pytest.raises(InputError, match="cannot read the front"):
        export.report(tmp_path / "none.json", tmp_path / "r")
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(StoreError):
        export.report(tmp_path / "other.json", tmp_path / "r")
    with pytest.raises(ModelFormatError):
        export.report(front, tmp_path / "r", exports=[tmp_path])
    with pytest.raises(InputError, match="with a name each"):
        export.report(front, tmp_path / "r", exports=[exported["exact"], exported["exact"]])
    with pytest.raises(OutputPathError, match="choose a folder"):
        export.report(front, tmp_path / "other.json")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ToolError, match=r"pip install 'keras_approx\[plots\]'"):
        export.report(front, tmp_path / "r")
