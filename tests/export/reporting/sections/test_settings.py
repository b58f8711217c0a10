"""Settings of an exploration as lines."""

from __future__ import annotations

from export.reporting.sections.settings import flat


def test_settings_become_lines():
    settings = {"a": {"b": 1, "c": {"d": None}}, "e": [1, 2], "f": [], "g": {}, "h": 3e6, "i": [0.5] * 9}
    assert list(flat(settings)) == [
        *(("a.b", "1"), ("a.c.d", "none"), ("e", "1, 2")),
        *(("f", "none"), ("g", "none"), ("h", "3,000,000")),
        ("i", "9 values, 0.5 to 0.5"),
    ]
