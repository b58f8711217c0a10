"""Pieces of the report: numbers as text, Markdown, thresholds, memory, the designs that are shown."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from export.artifact.manifest import read_manifest
from export.reporting import text
from export.reporting.choice import choose
from export.reporting.markdown import escape
from export.reporting.memory import used_bytes
from export.reporting.settings import flat
from export.reporting.significance import threshold
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
        (text.size(257_008), "257.0 KB"),
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


def test_bare_addresses_do_not_become_links():
    assert escape("http://a.b www.c.d") == r"http\://a.b www\.c.d"


@given(share=st.floats(0.02, 0.98), seed=st.integers(0, 5))
def test_threshold_of_a_fraction_parts_the_histogram(share, seed):
    edges = np.geomspace(1e-6, 1, 41)
    counts = np.random.default_rng(seed).integers(1, 200, 40)
    record = fronts.record(["layer"], [share])
    at = threshold({"edges": edges.tolist(), "counts": counts.tolist()}, record, "layer")
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
            assert layer.kept_macs / 2 <= layer.roofline_cycles * 1.5
            assert layer.roofline_cycles < layer.predicted_cycles


def test_shows_the_exact_design_the_best_at_some_losses_and_what_was_fine_tuned():
    front = fronts.front()
    chosen = choose(front)
    assert chosen[0].record == front.exact
    assert chosen[0].label == "exact"
    assert len({one.record.id for one in chosen}) == len(chosen)
    ids = [one.record.id for one in chosen]
    assert {front.best(max_drop=drop).id for drop in (0, 0.01, 0.05)} <= set(ids)
    assert [one.record.id for one in chosen if one.record.fine_tuned_accuracy is not None] == [
        record.id for record in front.evaluated if record.fine_tuned_accuracy is not None
    ]


def test_settings_become_lines():
    settings = {"a": {"b": 1, "c": {"d": None}}, "e": [1, 2], "f": [], "g": {}, "h": 3e6, "i": [0.5] * 9}
    assert list(flat(settings)) == [
        *(("a.b", "1"), ("a.c.d", "none"), ("e", "1, 2")),
        *(("f", "none"), ("g", "none"), ("h", "3,000,000")),
        ("i", "9 values, 0.5 to 0.5"),
    ]
