"""Numbers and names as the report writes them."""

from __future__ import annotations

import pytest

from export.reporting.format import text
from export.targets import get_board


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
        (text.milliseconds(get_board("stm32f405"), 168_000), "1 ms"),
        (text.milliseconds(get_board("stm32f405"), 8_400, 16_800), "50 to 100 \u00b5s"),
        (text.milliseconds(get_board("stm32f405"), 16_800, 25_200), "0.1 to 0.15 ms"),
        (text.milliseconds(None, 1), ""),
    ],
)
def test_numbers_and_names_as_text(shown, expected):
    assert shown == expected
