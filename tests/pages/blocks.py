"""Runs the code blocks of a page, in the order in which they stand, in the current folder.

Commands of this project run in this process, Python too, boards are read, and C is built with the page's CMake and run.
What would change the machine is looked up instead: an extra, a target of `make`, a script.
"""

from __future__ import annotations

import configparser
import contextlib
import io
import re
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

from sybil import Document, Example
from sybil.evaluators.python import PythonEvaluator
from sybil.parsers.markdown import CodeBlockParser

from export.artifact.manifest import read_manifest
from export.commands import main
from export.firmware.project import NETWORK_FOLDER
from export.targets import get_board
from tests.export.firmware.test_capture import printed

ROOT = Path(__file__).parents[2]
NOT_CODE = frozenset({"mermaid", "text"})
_PROJECT = """\
cmake_minimum_required(VERSION 3.16)
project(firmware C)
add_executable(firmware main.c)
"""
_LINK = "add_subdirectory(out)\ntarget_link_libraries(firmware PRIVATE model)\n"
_ARRAYS = """\
static int8_t spectrum[WORDS_INPUT_SIZE], word[WORDS_OUTPUT_SIZE];
static int8_t picture[FACES_INPUT_SIZE], face[FACES_OUTPUT_SIZE];
"""


def parse(page: str) -> Document:
    """The page with an evaluator for each of its blocks."""
    parsers = [CodeBlockParser(language, evaluator) for language, evaluator in _EVALUATORS.items()]
    return Document.parse(str(ROOT / page), *parsers)


def languages(page: str) -> list[str]:
    """The languages of all fenced blocks, in their order."""
    return re.findall(r"^```(\w*)\n(?:.*\n)*?```$", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE)


def _shell(example: Example) -> None:
    for line in example.parsed.replace("\\\n", " ").splitlines():
        if words := shlex.split(line, comments=True):
            program = Path(words[0]).name
            assert program in _PROGRAMS, f"a page runs {program}: say in tests/pages/blocks.py how"
            _PROGRAMS[program](words[1:])


def _keras_approx(words: list[str]) -> None:
    if ">" in words:
        place = words.index(">")
        printed_to = io.StringIO()
        with contextlib.redirect_stdout(printed_to), contextlib.suppress(SystemExit):
            main(words[:place])
        assert Path(words[place + 1]).expanduser().write_text(printed_to.getvalue(), encoding="utf-8")
        return
    assert main(words) == 0, shlex.join(words)


def _python(words: list[str]) -> None:
    paths = [word for word in words if "/" in word]
    assert paths
    assert all((ROOT / path).exists() for path in paths), words


def _make(words: list[str]) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert all(re.search(rf"^{word}:", makefile, re.MULTILINE) for word in words), words


def _pip(words: list[str]) -> None:
    settings = configparser.ConfigParser(interpolation=None)
    settings.read(ROOT / "setup.cfg", encoding="utf-8")
    assert words[0] == "install"
    extras = re.findall(r"^\.(?:\[(\w+)\])?$", "\n".join(words), re.MULTILINE)
    assert extras
    assert {*extras} <= {"", *settings["options.extras_require"]}, words


def _apt_get(words: list[str]) -> None:
    known = (ROOT / "scripts/setup.sh").read_text(encoding="utf-8")
    assert words[:2] == ["apt-get", "install"]
    assert all(package in known for package in words[2:]), words


def _mkdir(words: list[str]) -> None:
    Path(words[-1]).expanduser().mkdir(parents=True)


def _picocom(words: list[str]) -> None:
    """What a board would print of the firmware that was written last."""
    network = Path("out-firmware") / NETWORK_FOLDER
    manifest = read_manifest(network)
    counts = [[cycles] * len(manifest.layers) for cycles in (900, 700)]
    capture = printed(network, board=str(manifest.board), counts=counts)
    Path(words[-1]).write_text(capture, encoding="utf-8")


_PROGRAMS: dict[str, Callable[[list[str]], None]] = {
    "keras-approx": _keras_approx,
    "python": _python,
    "make": _make,
    "pip": _pip,
    "sudo": _apt_get,
    "mkdir": _mkdir,
    "picocom": _picocom,
    "pre-commit": lambda words: None,
}


def _toml(example: Example) -> None:
    """A board's file, to which later blocks of the page add."""
    with open("my-board.toml", "a", encoding="utf-8") as file:
        file.write(example.parsed)
    assert get_board("my-board.toml").name == "my-board"


def _cmake(example: Example) -> None:
    example.namespace["cmake"] = example.parsed


def _c(example: Example) -> None:
    """A program with the block in it: what is not a directive or a static array stands in `main`."""
    lines = example.parsed.splitlines()
    outside = [line for line in lines if line.startswith(("#", "static"))]
    inside = [line for line in lines if line not in outside]
    arrays = _ARRAYS if "words.h" in example.parsed else ""
    body = "\n".join([*outside, arrays, "int main(void) {", *inside, "return 0; }", ""])
    Path("main.c").write_text(body, encoding="utf-8")
    Path("CMakeLists.txt").write_text(_PROJECT + example.namespace.get("cmake", _LINK), encoding="utf-8")
    for command in ("cmake -S . -B build -G Ninja", "cmake --build build", "build/firmware"):
        done = subprocess.run(command.split(), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


_EVALUATORS: dict[str, Callable[[Example], None]] = {
    "sh": _shell,
    "python": PythonEvaluator(),
    "toml": _toml,
    "cmake": _cmake,
    "c": _c,
}
