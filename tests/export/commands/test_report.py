"""`report` on exports alone; with a front, see test_explore."""

from __future__ import annotations

from pathlib import Path

import pytest

from export.commands import main
from tests.export.models.networks import small_classifier


def test_an_export_needs_no_front(tmp_path, run, fails):
    (tmp_path / "m.tflite").write_bytes(small_classifier())
    run("export", tmp_path / "m.tflite", "--out", tmp_path / "out", "--target", "stm32f405")
    written = run("report", "--export", f"mine={tmp_path / 'out'}", "--out", tmp_path / "report")
    text = Path(written["markdown"]).read_text()
    assert text.startswith("# Export\n\nmine is a network of ")
    assert "ms at 168 MHz" in text or "\u00b5s at 168 MHz" in text
    assert "| 1 MiB |" in text
    assert "give --export DIR" in fails("report", "--out", tmp_path / "none")
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("given", ["other=many", "other=0", "other=nan"])
def test_cycles_of_a_baseline_are_a_number_above_0(given, capsys):
    with pytest.raises(SystemExit):
        main(["report", "front.json", "--out", "report", "--baseline", given])
    assert f"expected NAME=CYCLES with a number above 0, got '{given}'" in capsys.readouterr().err
