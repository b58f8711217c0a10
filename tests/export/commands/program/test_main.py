"""Help, version, exit status and where output goes."""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from export.artifact.folder import write_folder
from export.commands import main
from export.commands.program import main as program
from export.commands.program.console import Interrupted, Result
from export.commands.program.files import check_new_file, check_result_file
from export.errors import InputError, OutputPathError
from keras_approx.errors import OptionError

ROOT = Path(__file__).parents[4]
COMMANDS = (
    *(
        "wrap",
        "explore",
        "fine-tune",
        "export",
        "simulate",
        "report",
        "boards",
        "firmware",
        "compare",
        "doctor",
    ),
)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_examples_that_parse(command, capsys):
    with pytest.raises(SystemExit) as stopped:
        main([command, "--help"])
    assert stopped.value.code == 0
    text = capsys.readouterr().out
    examples = text[text.index("examples:") :].replace("\\\n", " ").splitlines()
    lines = [line.split("  #")[0].split() for line in examples if line.strip().startswith("keras-approx")]
    assert len(lines) >= 3
    for line in lines:
        assert line[1] == command
        assert program.parser().parse_args(line[1:]).command == command


def test_completion_knows_the_options_of_every_command(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["--print-completion", "bash"])
    assert stopped.value.code == 0
    script = capsys.readouterr().out
    for word in (*COMMANDS, "--max-drop", "--granularity", "--estimate"):
        assert word in script


def test_the_way_of_a_model_in_the_help_parses(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    lines = [
        line.split() for line in capsys.readouterr().out.splitlines() if line.startswith("  keras-approx ")
    ]
    assert [line[1] for line in lines] == ["wrap", "explore", "fine-tune", "export", "simulate", "report"]
    for line in lines:
        program.parser().parse_args(line[1:])


PAGES = ["README.md", *(str(path.relative_to(ROOT)) for path in sorted(ROOT.glob("docs/**/*.md")))]


@pytest.mark.parametrize("page", PAGES)
def test_commands_of_the_documentation_parse(page):
    text = (ROOT / page).read_text().replace("\\\n", " ")
    lines = [
        line.split("  #")[0].split() for line in text.splitlines() if re.match("keras-approx [a-z]", line)
    ]
    assert lines or page not in ("README.md", "docs/commands.md", "docs/start.md")
    for line in lines:
        program.parser(line[1]).parse_args(line[1:])


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["fly"],
        ["wrap"],
        ["wrap", "m.keras"],
        ["export", "m.keras"],
        ["export", "m.keras", "--out", "o", "--estimate"],
        ["fine-tune", "m.keras", "--data", "d.npz", "--out", "o.keras", "--kept", "1.5"],
        ["fine-tune", "m.keras", "--data", "d.npz", "--out", "o.keras", "--kept", "nan"],
        ["fine-tune", "m.keras", "--data", "d.npz", "--out", "o.keras", "--epochs", "0"],
        ["fine-tune", "m.keras", "--data", "d.npz", "--out", "o.keras", "--epo", "3"],
        ["fine-tune", "m.keras", "--data", "d.npz", "--out", "o.keras", "--significance", "luck"],
        ["simulate", "out", "--inputs", "x.npy", "--images", "many"],
    ],
    ids=" ".join,
)
def test_a_wrong_command_line_exits_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert capsys.readouterr().err.startswith("usage: keras-approx")


def _program(monkeypatch, run):
    """The program with one command, which does what is given."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--json")
    parser.set_defaults(run=run, command="test")
    monkeypatch.setattr(program, "parser", lambda chosen: parser)


@pytest.mark.parametrize("error", [InputError, OptionError])
def test_errors_are_one_line_that_cannot_steer_a_terminal(error, monkeypatch, capsys):
    def run(options):
        raise error("expected\nthis,  got \x1b[31m\u202ethat")

    _program(monkeypatch, run)
    assert main([]) == 1
    assert capsys.readouterr() == ("", "error: expected this, got [31m that\n")


def test_bugs_keep_their_traceback(monkeypatch):
    def run(options):
        raise RuntimeError("a bug")

    _program(monkeypatch, run)
    with pytest.raises(RuntimeError, match="a bug"):
        main([])


@pytest.mark.parametrize(
    ("stop", "said"),
    [(KeyboardInterrupt(), "interrupted"), (Interrupted("go on so"), "interrupted: go on so")],
)
def test_interrupts_exit_with_130(stop, said, monkeypatch, capsys):
    def run(options):
        raise stop

    _program(monkeypatch, run)
    assert main([]) == 130
    assert capsys.readouterr() == ("", f"\n{said}\n")


def test_interrupts_while_a_command_is_imported_exit_with_130(monkeypatch, capsys):
    def importing(chosen):
        raise KeyboardInterrupt

    monkeypatch.setattr(program, "parser", importing)
    assert main(["export"]) == 130
    assert capsys.readouterr().err == "\ninterrupted\n"


def test_results_go_to_standard_output_and_progress_does_not(monkeypatch, capsys, tmp_path):
    def run(options):
        print("half done")
        return Result("the result", {"figure": 1})

    _program(monkeypatch, run)
    assert main([]) == 0
    assert capsys.readouterr() == ("the result\n", "half done\n")
    assert main(["--json", "-"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["figure"] == 1
    assert err == "half done\n"
    assert main(["--json", str(tmp_path / "r.json")]) == 0
    assert capsys.readouterr().out == "the result\n"
    assert json.loads((tmp_path / "r.json").read_text())["command"] == "test"
    assert main(["--json", str(tmp_path)]) == 1
    assert "expected the name of a file for --json" in capsys.readouterr().err


def test_module_and_program_are_one_and_load_no_tensorflow_for_help():
    code = (
        "import sys; from export.commands import main\n"
        "try: main(['--version'])\nexcept SystemExit: print('tensorflow' in sys.modules)"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    module = subprocess.run(
        [sys.executable, "-m", "export", "--version"], capture_output=True, text=True, check=True
    ).stdout
    assert printed == f"{module}False\n"
    assert module.startswith("keras-approx 0.")


@pytest.mark.parametrize("command", [*COMMANDS, "eliminate", "evaluate"])
def test_words_with_nul_are_refused_wherever_they_stand(command, capsys):
    for arguments in ([command, "a\0b"], [command, "--json", "a\0b"], [command, "--out", "a\0b"]):
        with pytest.raises(SystemExit) as stopped:
            main(arguments)
        assert stopped.value.code == 2
        assert "expected words without NUL characters, got 'a\\x00b'" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [["boards"], ["boards", "--json", "-"], ["--help"], ["export", "--help"]]
)
def test_a_reader_that_stops_is_no_error(arguments):
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    program = subprocess.Popen(
        [sys.executable, "-m", "export", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=buffered,  # else argparse hides that its text went nowhere
    )
    program.stdout.close()
    assert program.stderr.read() == ""
    program.stderr.close()
    assert program.wait() == 141


def test_what_an_encoding_lacks_is_escaped(tmp_path):
    board = (ROOT / "export/targets/boards/stm32f405.toml").read_text()
    (tmp_path / "größe.toml").write_text(board, encoding="utf-8")
    found = subprocess.run(
        [sys.executable, "-m", "export", "boards", "--board", str(tmp_path / "größer.toml")],
        capture_output=True,
        text=True,
        env={"PYTHONIOENCODING": "ascii:strict", "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert found.returncode == 1
    assert "gr\\xf6\\xdfer.toml" in found.stderr


def test_a_json_file_that_cannot_be_is_found_before_work_begins(monkeypatch, capsys, tmp_path):
    def run(options):
        raise AssertionError("work began")

    _program(monkeypatch, run)
    for path, came in ((tmp_path, "got the folder"), (tmp_path / "none/r.json", "does not exist")):
        assert main(["--json", str(path)]) == 1
        assert came in capsys.readouterr().err
    assert main(["--json", str(tmp_path / ("x" * 300))]) == 1
    assert "File name too long" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["json", "outputs"])
def test_results_replace_nothing_that_another_option_names(option, monkeypatch, capsys, tmp_path):
    def run(options):
        raise AssertionError("work began")

    path = tmp_path / "front.json"
    path.write_text("kept")
    _program(monkeypatch, run)
    parser = program.parser(None)
    parser.add_argument("front")
    parser.add_argument("--outputs")
    assert main([str(path), f"--{option}", f"{tmp_path}/./front.json"]) == 1
    assert f"--{option} would replace" in capsys.readouterr().err
    with pytest.raises(AssertionError, match="work began"):  # a text that can be no path is none
        main(["x" * 5000, f"--{option}", str(path)])
    assert path.read_text() == "kept"


def test_results_replace_nothing_among_the_values_of_an_option(monkeypatch, capsys, tmp_path):
    def run(options):
        raise AssertionError("work began")

    path = tmp_path / "measured.json"
    path.write_text("kept")
    _program(monkeypatch, run)
    program.parser(None).add_argument("--measurement", action="append", type=lambda text: text.split("="))
    assert main(["--measurement", f"a={path}", "--json", str(path)]) == 1
    assert "which is measurement too" in capsys.readouterr().err


@pytest.mark.parametrize("file", ["manifest.json", "model.tflite", "src/model.c"])
def test_results_replace_no_file_of_an_export(file, monkeypatch, capsys, tmp_path):
    def run(options):
        raise AssertionError("work began")

    manifest = {"generator": {"name": "keras_approx"}, "name": "model", "files": [file, "manifest.json"]}
    content = {file: b"", "manifest.json": json.dumps(manifest).encode()}
    write_folder(tmp_path / "out", content)
    (tmp_path / "link").symlink_to(tmp_path / "out" / file)
    _program(monkeypatch, run)
    for path in (tmp_path / "out" / file, tmp_path / "link"):
        assert main(["--json", str(path)]) == 1
        assert f"would replace a file of the export in '{tmp_path / 'out'}'" in capsys.readouterr().err
        with pytest.raises(OutputPathError, match="choose another --out"):
            check_new_file(path, force=True)
        with pytest.raises(OutputPathError, match="choose another --outputs"):
            check_result_file(path, "--outputs")
    with pytest.raises(AssertionError, match="work began"):
        main(["--json", str(tmp_path / "out" / "result.json")])
