"""Captures of firmware, whole and damaged, and what is said of them."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from export.artifact.manifest import MANIFEST_NAME
from export.commands import main
from export.errors import InputError
from export.firmware.capture import parse_capture
from export.firmware.comparison import compare, read_simulation
from export.firmware.project import digest_of
from tests.export import handmade

BOARD = "nucleo-u575zi-q"
COUNTS = ((900, 500), (660, 400), (640, 410))  # of each sample's layers


def export(folder: Path, **layer: object) -> Path:
    """A handmade export with predictions of 640 to 700 and of 400 cycles."""
    out_dir = handmade.write(folder)
    content = json.loads((out_dir / MANIFEST_NAME).read_text())
    for entry, cycles, waits in zip(content["layers"], (600, 400), ((640, 700), (400, 400)), strict=True):
        entry |= {"predicted_cycles": cycles, "predicted_board_cycles": waits, **layer}
    (out_dir / MANIFEST_NAME).write_text(json.dumps(content))
    return out_dir


def printed(
    out_dir: Path,
    *,
    clock: int = 160_000_000,
    verdict: str = "PASS",
    board: str = BOARD,
    counts: Sequence[Sequence[int]] = COUNTS,
) -> str:
    """What a firmware of the export prints."""
    digest = digest_of((out_dir / MANIFEST_NAME).read_bytes())
    lines = [f"keras_approx firmware of model ({digest}) for {board}", f"clock: {clock} Hz"]
    lines.append("flash: prefetch, wait states 4")
    for number, layers in enumerate(counts):
        lines.append(f"sample {number}: {verdict}")
        lines += [f"layer {index}: {cycles} cycles" for index, cycles in enumerate(layers)]
        lines.append(f"total: {sum(layers) + 20} cycles")
    lines += ["cache of layer 0: hits 500, misses 65535 or more", "cache of layer 1: hits 300, misses 2"]
    return "\r\n".join([*lines, "stack: 216 bytes", f"done: {verdict[:4]}", ""])


def test_measured_beside_predicted(tmp_path: Path) -> None:
    out_dir = export(tmp_path)
    found = compare(out_dir, parse_capture("noise \x00\n" + printed(out_dir)))
    first, second = found.layers
    assert (first.predicted, first.measured, first.spread) == ((640, 700), 650, (640, 660))
    assert first.off == 0
    assert (second.measured, second.spread) == (405, (400, 410))
    assert second.off == pytest.approx(0.0125)
    assert (first.hits, first.misses, second.misses) == (500, 65535, 2)
    assert (found.predicted, found.measured, found.cold) == ((1040, 1100), 1075, 1420)
    assert found.basis == "export, with the board's memories"
    assert found.passed


def test_at_another_clock_waits_are_left_out(tmp_path: Path) -> None:
    out_dir = export(tmp_path)
    found = compare(out_dir, parse_capture(printed(out_dir, clock=4_000_000)))
    assert found.basis == "export, without waits"
    assert found.layers[0].predicted == (600, 600)
    assert found.layers[0].off == pytest.approx(50 / 600)


def test_layers_without_predictions(tmp_path: Path) -> None:
    out_dir = export(tmp_path, predicted_cycles=None, predicted_board_cycles=None)
    found = compare(out_dir, parse_capture(printed(out_dir)))
    assert (found.predicted, found.off, found.layers[0].off) == (None, None, None)


def test_the_last_run_counts(tmp_path: Path) -> None:
    out_dir = export(tmp_path)
    earlier = printed(out_dir, clock=4_000_000)
    for cut in (len(earlier), len(earlier) // 2):
        assert parse_capture(earlier[:cut] + "\n" + printed(out_dir)).clock_hz == 160_000_000


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (
            "keras_approx firmware of",
            "keras firmware of",
            "lines without its first one: capture it at 115200 baud",
        ),
        ("layer 1: 500 cycles", f"layer 1: {'9' * 5000} cycles", "line 6: expected a line of the firmware"),
        (
            "layer 1: 500 cycles",
            "layer 1: 5 0 cycles",
            "line 6: expected a line of the firmware, got 'layer 1: 5 0",
        ),
        ("layer 1: 500 cycles\r\n", "", "samples of different numbers of layers"),
        ("layer 1: 500 cycles", "layer 7: 500 cycles", "expected a line of the firmware, got 'layer 7"),
        ("total: 1420 cycles\r\n", "", "cycles of layers are missing"),
        ("sample 1: PASS", "sample 2: PASS", "expected a line of the firmware, got 'sample 2"),
        (
            "sample 1: PASS",
            "sample 1: FAIL: byte 0 is 3, expected 4",
            "ends with PASS, and its samples say otherwise",
        ),
        (
            "sample 1: PASS",
            "fault 3: at 0x08000100",
            "line 8: the firmware stopped with a fault 3: at 0x08000100",
        ),
        ("done: PASS", "", "ends before the firmware had printed `done`"),
        ("clock: 160000000 Hz\r\n", "", "does not say which clock"),
    ],
)
def test_damage_is_named(before: str, after: str, message: str, tmp_path: Path) -> None:
    text = printed(export(tmp_path))
    assert before in text
    with pytest.raises(InputError) as error:
        parse_capture(text.replace(before, after, 1))
    assert message in str(error.value)


def test_another_baud_rate_looks_like_noise() -> None:
    with pytest.raises(InputError, match="no text, as at another baud rate"):
        parse_capture(bytes(range(128, 256)).decode("ascii", "replace"))


def test_captures_of_other_exports_are_refused(tmp_path: Path) -> None:
    text = printed(export(tmp_path / "one"))
    other = export(tmp_path / "two", predicted_cycles=601)
    with pytest.raises(
        InputError, match=r"expected a capture of the export in .*two', model .* got one of model"
    ):
        compare(other, parse_capture(text))


def test_samples_that_returned_an_error(tmp_path: Path) -> None:
    out_dir = export(tmp_path)
    text = (
        printed(out_dir).split("\r\nsample 0", 1)[0]
        + "\r\nsample 0: FAIL: the network returned 1\r\ndone: FAIL\r\n"
    )
    with pytest.raises(InputError, match="no sample ran, FAIL: the network returned 1"):
        compare(out_dir, parse_capture(text))


def simulated(folder: Path, **changes: object) -> Path:
    layers = [
        {"index": 0, "cycles": 610, "board_cycles": [645.0, 655.0]},
        {"index": 1, "cycles": 400, "board_cycles": [401, 402]},
        {"index": None, "cycles": 20, "board_cycles": [20, 21]},
    ]
    path = folder / "simulated.json"
    path.write_text(json.dumps({"board": BOARD, "per_layer": layers, **changes}))
    return path


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out_dir = export(tmp_path / "out")
    capture = tmp_path / "capture.txt"
    capture.write_text(printed(out_dir, verdict="FAIL: byte 1 is 3, expected 4"))
    assert main(["compare", str(out_dir), str(capture)]) == 0
    shown = capsys.readouterr().out
    for part in ("640 to 700", "within", "+1.2%", "65,535", "FAIL: 3 of 3 samples, first: FAIL: byte 1 is 3"):
        assert part in shown
    arguments = [
        "compare",
        str(out_dir),
        str(capture),
        "--simulated",
        str(simulated(tmp_path)),
        "--json",
        "-",
    ]
    assert main(arguments) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["layers"][0]["predicted"] == [645, 655]
    assert record["passed"] is False
    assert main(["compare", str(out_dir), str(tmp_path / "none.txt")]) == 1
    assert "cannot read the capture" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"board": "stm32f405"}, f"expected a simulation of this network on {BOARD}, got one on stm32f405"),
        ({"per_layer": [{"index": 0}]}, "expected .* to be what keras-approx simulate --json saved"),
        ({"per_layer": "none"}, "to be what keras-approx simulate --json saved"),
        ({"per_layer": []}, "with 0 layers"),
    ],
)
def test_simulations_of_something_else(
    changes: dict[str, object], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out_dir = export(tmp_path / "out")
    capture = tmp_path / "capture.txt"
    capture.write_text(printed(out_dir))
    path = simulated(tmp_path, **changes)
    assert main(["compare", str(out_dir), str(capture), "--simulated", str(path)]) == 1
    assert re.search(message, capsys.readouterr().err)


def test_a_file_that_nests_too_deeply_is_no_simulation(tmp_path: Path) -> None:
    (tmp_path / "deep.json").write_text("[" * 200_000)
    with pytest.raises(InputError, match="to be what keras-approx simulate --json saved"):
        read_simulation(tmp_path / "deep.json")
