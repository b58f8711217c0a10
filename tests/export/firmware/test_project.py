"""Firmware projects: what goes into them, and what is refused."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from export.api import to_c
from export.artifact.compiling import build_host
from export.commands import main
from export.errors import ExportError, InputError, ModelFormatError, OutputPathError, TargetError
from export.firmware import write_firmware
from export.firmware.board_files import memory_script, startup_of
from export.targets import BOARDS, get_board
from tests.export import handmade
from tests.export.models.networks import random_inputs
from tests.export.models.recipes import all_at_once


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network of several inputs, outputs and states."""
    return to_c(all_at_once(("variable", "lstm")), tmp_path_factory.mktemp("several") / "out").path


def test_samples_hold_what_the_c_gives(several: Path, tmp_path: Path) -> None:
    host = build_host(several)
    given = [random_inputs(info.shape, 2, seed) for seed, info in enumerate(host.manifest.inputs)]
    firmware = write_firmware(several, tmp_path / "firmware", inputs=given)
    text = (firmware.path / "samples.c").read_text().split("sample_outputs")[1]
    rows = text.split("    {\n")[1:]
    bytes_of = np.array(
        [[int(byte) for byte in row.split("}")[0].replace("\n", "").split(",")[:-1]] for row in rows]
    )
    np.testing.assert_array_equal(bytes_of, host.manifest.pack_outputs(host.run(given)))
    assert firmware.board.name == "nucleo-u575zi-q"
    assert firmware.predicted
    assert (firmware.path / "network" / "manifest.json").read_bytes() == (
        several / "manifest.json"
    ).read_bytes()


def test_the_command_names_a_folder_beside(several: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["firmware", f"{several}/", "--board", "stm32f405"]) == 0
    shown = capsys.readouterr().out
    assert "out-firmware: firmware for stm32f405 with 3 samples" in shown
    assert "the export's predictions are not for stm32f405" in shown
    assert main(["firmware", str(several)]) == 1
    assert "expected a new or an empty folder" in capsys.readouterr().err


def test_what_a_board_file_says_of_its_source_stays_in_a_comment(several: Path, tmp_path: Path) -> None:
    text = resources.files("export.targets.boards").joinpath("nucleo-u575zi-q.toml").read_text()
    start = text.index("source = ")
    line = text[start : text.index("\n", start)]
    hostile = tmp_path / "board.toml"
    text = text.replace('name = "nucleo-u575zi-q"', 'name = "my-board"')
    hostile.write_text(text.replace(line, 'source = "sch\u00e9ma */ int hacked; /*"'), encoding="utf-8")
    header = (write_firmware(several, tmp_path / "firmware", board=str(hostile)).path / "board.h").read_text()
    assert "sch_ma _/ int hacked; /_" in header.split("*/")[0]
    assert header.count("*/") == 1


def test_the_stack_lies_where_the_placement_says() -> None:
    board = get_board("nucleo-h743zi2")
    script = memory_script(board, board.placements[1])
    for line in (
        "RAM (rw) : ORIGIN = 0x24000000, LENGTH = 524288",
        "COPIES (rwx) : ORIGIN = 0x0, LENGTH = 65536",
    ):
        assert line in script
    assert "stack_is_with_data = 0;\nstack_start = 0x20000000;\nstack_top = 0x20020000;" in script


def refused(error: type[ExportError], message: str, several: Path, tmp_path: Path, **options: object) -> None:
    with pytest.raises(error, match=message):
        write_firmware(several, tmp_path / "firmware", **options)
    assert not (tmp_path / "firmware").exists()


def test_inputs_must_fit(several: Path, tmp_path: Path) -> None:
    refused(InputError, "expected 3 inputs", several, tmp_path, inputs=np.zeros((1, 4), np.int8))


def test_exports_without_a_model(tmp_path: Path) -> None:
    refused(
        ModelFormatError,
        "model that tells which outputs to expect",
        handmade.write(tmp_path / "out"),
        tmp_path,
    )


def test_folders_that_hold_something(several: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(OutputPathError, match=r"holds 'notes.txt'"):
        write_firmware(several, tmp_path)


def test_an_export_is_not_replaced(several: Path) -> None:
    before = sorted(path.name for path in several.iterdir())
    with pytest.raises(OutputPathError, match="expected a new or an empty folder"):
        write_firmware(several, several)
    assert sorted(path.name for path in several.iterdir()) == before


BOARD = 'name = "mine"\nlike = "stm32f405"\nsource = "schematic"\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "clock_hz = 120_000_000\n",
            "expected firmware.pll to give clock_hz, 120,000,000 Hz, got 16,000,000 / 8 ",
        ),
        ('core = "cortex-m3"\n', "expected a board whose core has the DSP extension, got mine"),
        ("[firmware.pll]\nn = 4000\n", "firmware: pll: n: expected a whole number from 4 to 512, got 4000"),
        ("[firmware.pll]\nout = 3\n", "firmware: pll: out: expected one of 2, 4, 6, 8, got 3"),
        (
            '[firmware]\nuart = "USART9"\n',
            "firmware: uart: expected one of USART1, USART2, USART3, got 'USART9'",
        ),
        ('[firmware]\npin = "9"\n', "firmware: pin: expected text of the form"),
        ("[firmware]\nspeed = 3\n", "firmware: unknown 'speed'"),
    ],
)
def test_boards_that_cannot_be_started(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(BOARD + text)
    with pytest.raises(TargetError) as error:
        startup_of(get_board(str(path)))
    assert message in str(error.value)


def test_a_board_file_may_leave_firmware_out(tmp_path: Path) -> None:
    text = (
        Path(__file__)
        .parents[3]
        .joinpath("export/targets/boards/stm32f405.toml")
        .read_text()
        .split("[firmware]")[0]
    )
    path = tmp_path / "mine.toml"
    path.write_text(text.replace('"stm32f405"', '"mine"', 1))
    with pytest.raises(TargetError, match=r"mine has no \[firmware\] table"):
        startup_of(get_board(str(path)))


def test_networks_that_leave_no_room(tmp_path: Path) -> None:
    size = BOARDS["nucleo-f411re"].ram_bytes
    out_dir = handmade.write(tmp_path / "out", arena_bytes=size - 100)
    with pytest.raises(TargetError, match=f"export again with max_ram={size - 256 - 2 * 12 - 2 * 4}"):
        write_firmware(out_dir, tmp_path / "firmware", board="nucleo-f411re")
