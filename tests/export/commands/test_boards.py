"""The command `boards`."""

import json

import pytest

from export.commands import main
from export.targets import BOARDS


def test_all_boards_are_listed(capsys):
    assert main(["boards"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == sorted(BOARDS)
    assert main(["boards", "--json", "-"]) == 0
    assert [board["name"] for board in json.loads(capsys.readouterr().out)["boards"]] == sorted(BOARDS)


def test_one_is_shown_with_its_memories_and_sources(capsys):
    assert main(["boards", "--board", "nucleo-h743zi2"]) == 0
    shown = capsys.readouterr().out
    for part in ("DTCM: 131,072 B at 0x20000000", "9 to 15 wait states", "RM0433", "caveat: "):
        assert part in shown


def test_a_file_is_shown_too(tmp_path, capsys):
    path = tmp_path / "mine.toml"
    path.write_text('name = "mine"\nlike = "stm32f405"\nsource = "schematic"\n[flash]\nwaits = 7\n')
    assert main(["boards", "--board", str(path)]) == 0
    assert "after 7 wait states" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["arduino", "none.toml"])
def test_unknown_ones_are_errors(name, capsys):
    assert main(["boards", "--board", name]) == 1
    assert "error: " in capsys.readouterr().err
