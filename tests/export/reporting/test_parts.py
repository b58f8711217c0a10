"""Pieces of the report: numbers as text, Markdown, thresholds, memory, the designs that are shown."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from export.artifact.manifest import LayerInfo, read_manifest
from export.ir.layer_names import layer_name
from export.reporting.choice import choose
from export.reporting.format import text
from export.reporting.format.document import Document, Table
from export.reporting.format.html import write_html
from export.reporting.format.markdown import escape
from export.reporting.sections.advice import suggestions
from export.reporting.sections.front import ranking_flattery
from export.reporting.sections.memory import used_bytes
from export.reporting.sections.settings import flat
from export.reporting.sections.significance import threshold
from export.targets import get_board
from keras_approx.exploration.design import Design
from tests.export.reporting import fronts


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (text.count(812), "812"),
        (text.count(9_999), "9,999"),
        (text.count(64_239), "64.2 k"),
        (text.count(999_499), "999.5 k"),
        (text.count(999_500), "1.00 M"),
        (text.count(1_371_000), "1.37 M"),
        (text.size(812), "812 B"),
        (text.size(257_008), "251.0 KiB"),
        (text.percent(0.12345), "12.3 %"),
        (text.points(-0.0093), "-0.93"),
        (text.points(0.0), "+0.00"),
        (text.power_of_ten(1e-6), "10\u207b\u2076"),
        (text.power_of_ten(1000.0), "10\u00b3"),
        (text.power_of_ten(2e-3), "2\u00b710\u207b\u00b3"),
        (text.layer_label(2, "fully_connected"), "2 dense"),
        (text.layer_label(0, "copy"), "0 copy"),
        (text.printable("a\x1b[0m\u202eb"), "a\ufffd[0m\ufffdb"),
        (text.printable("x" * 70, 5), "xxxx\u2026"),
        (text.plural(1, "design"), "1 design"),
        (text.plural(2000, "design"), "2,000 designs"),
    ],
)
def test_numbers_and_names_as_text(shown, expected):
    assert shown == expected


@given(st.text(alphabet=st.sampled_from("ab 1.)-+*_`<>[]()|\\#!&~$:/@\n"), max_size=30))
def test_markdown_escapes_what_means_something_and_loses_nothing(plain):
    escaped = escape(plain)
    assert "\n" not in escaped
    assert re.sub(r"\\(.)", r"\1", escaped) == " ".join(plain.split())
    assert not re.search(r"(?<!\\)(?:\\\\)*[*_`<>\[\]|#!&~$]", re.sub(r"\\.", "", escaped))
    assert not re.match(r"([-+]|\d+[.)])\s", escaped)


def test_names_of_boards_stay_on_one_line():
    page = write_html(
        Document("t", [Table(("board", "x"), [("nucleo-u575zi-q", "1"), ("a few words", "2")], left=1)], [])
    )
    assert "<td class=name>nucleo-u575zi-q</td><td class=number>1</td>" in page
    assert "<td>a few words</td>" in page


def test_bare_addresses_do_not_become_links():
    assert escape("http://a.b www.c.d") == r"http\://a.b www\.c.d"


@given(share=st.floats(0.02, 0.98), seed=st.integers(0, 5))
def test_threshold_of_a_fraction_parts_the_histogram(share, seed):
    edges = np.geomspace(1e-6, 1, 41)
    counts = np.random.default_rng(seed).integers(1, 200, 40)
    record = fronts.record(["layer"], [share])
    at = threshold({"edges": edges.tolist(), "counts": counts.tolist()}, record, "layer")
    assert at is not None
    above = counts[edges[:-1] >= at].sum()
    reached = counts[edges[1:] > at].sum()
    assert above <= share * counts.sum() + 1e-6 * counts.sum() <= reached + 2e-6 * counts.sum()


def test_thresholds_are_themselves_and_exact_layers_have_none():
    histogram = {"edges": [0.1, 1, 10], "counts": [3, 4]}
    record = fronts.record(["layer"], [1.0])
    assert threshold(histogram, record, "layer") is None
    chosen = dataclasses.replace(record, design=Design("threshold", "pair", {"layer": 0.7}))
    assert threshold(histogram, chosen, "layer") == 0.7
    assert threshold(histogram, chosen, "other") is None


def test_the_arena_is_as_large_as_what_lies_in_it_at_most(exported):
    manifest = read_manifest(exported["exact"])
    used = [used_bytes(manifest, layer.index) for layer in manifest.layers]
    assert 0 < max(used) <= manifest.arena_bytes
    for layer in manifest.layers:
        assert (layer.roofline_cycles is None) == (layer.macs == 0)
        if layer.roofline_cycles:
            if not layer.kernel.startswith("winograd"):  # which multiplies less
                assert layer.kept_macs / 2 <= layer.roofline_cycles * 1.5
            assert layer.predicted_cycles is not None
            assert layer.roofline_cycles < layer.predicted_cycles


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


def test_settings_become_lines():
    settings = {"a": {"b": 1, "c": {"d": None}}, "e": [1, 2], "f": [], "g": {}, "h": 3e6, "i": [0.5] * 9}
    assert list(flat(settings)) == [
        *(("a.b", "1"), ("a.c.d", "none"), ("e", "1, 2")),
        *(("f", "none"), ("g", "none"), ("h", "3,000,000")),
        ("i", "9 values, 0.5 to 0.5"),
    ]


@pytest.mark.parametrize(
    ("tensor", "name"),
    [
        ("net/conv1_relu/Relu;net/conv1/BiasAdd;net/conv1/Conv2D;net/conv1/BiasAdd/ReadVariableOp1", "conv1"),
        (
            "model/activation/Relu;model/bn/FusedBatchNormV3;model/c/BiasAdd;model/d/Conv2D;model/c/Conv2D1",
            "c",
        ),
        ("net/relu/Relu;net/stack1_add/add", "stack1_add"),
        ("net/bn/FusedBatchNormV3;net/conv/Conv2D", "conv"),
        ("net/block/inner/conv/BiasAdd", "block/inner/conv"),
        ("net/flatten/Reshape;net/conv3_range/FakeQuantWithMinMaxVars", "flatten"),
        ("net/image_range/FakeQuantWithMinMaxVars/FakeQuantWithMinMaxVars", "image_range"),
        ("StatefulPartitionedCall:01", ""),
        ("conv_7:0", "conv_7"),
        ("", ""),
    ],
)
def test_layers_have_the_names_of_their_users(tensor, name):
    assert layer_name(tensor) == name


def test_limits_read_as_makers_write_them():
    assert [text.memory(number) for number in (786432, 2 << 20, 1536, 1000)] == [
        "768 KiB",
        "2 MiB",
        "1.5 KiB",
        "1,000 B",
    ]
    assert [text.size(number) for number in (1023, 1024, 262144)] == ["1,023 B", "1.0 KiB", "256.0 KiB"]
    board = get_board("stm32f405")
    assert [text.milliseconds(board, cycles) for cycles in (168_000, 1_680)] == ["1 ms", "10 \u00b5s"]
    assert text.milliseconds(None, 5) == ""


def test_few_images_flatter_the_best_of_many_designs():
    assert ranking_flattery(126, 140, 5_000) > 0.1
    assert ranking_flattery(9_000, 10_000, 5_000) < 0.015
    assert ranking_flattery(140, 140, 5_000) > 0.05  # none wrong is no certainty
    assert ranking_flattery(140, 140, 5_000) > ranking_flattery(140, 140, 50)


def test_advice_follows_the_kernel():
    def of(cycles, **changes):
        base = {"index": 1, "kind": "conv2d", "name": "a", "source": "a.c", "kernel": "loop", "macs": 1000}
        base |= {
            "kept_macs": 1000,
            "predicted_cycles": 600,
            "predicted_flash_bytes": 10,
            "roofline_cycles": 500,
        }
        base |= {"predicted_board_cycles": (600, 600), "copied_bytes": 0, **changes}
        return " ".join(suggestions(LayerInfo(**base), cycles))

    assert "skip products" in of(600)
    assert "more channels" not in of(600)
    assert "more channels" in of(2000)
    assert "whole pairs" in of(600, kept_macs=500)
    assert of(600, kept_macs=500, kernel="unpacked") == ""
    assert "waits for flash" in of(600, predicted_board_cycles=(900, 1000))
    assert "has a kernel" in of(600, kernel="plain", macs=0, kept_macs=0, roofline_cycles=None)
