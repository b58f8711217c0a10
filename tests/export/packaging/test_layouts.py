"""Each layout of a folder is built as its users build it, and its example finds every byte as expected."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from export.api import Export, to_c
from export.artifact.compiling import build_host
from export.artifact.manifest import read_manifest
from export.errors import ExportError, InputError, OutputPathError
from export.frontend import read_tflite
from export.simulation import simulate
from tests.export.comparison import inputs_of
from tests.export.models.networks import small_classifier
from tests.export.models.recipes import all_at_once

MODEL = small_classifier()
OUTPUT = read_tflite(MODEL).tensors[read_tflite(MODEL).output]
NAMES = ['ein "Hund"', "back\\slash", "what??/", "Käfer 7"][: OUTPUT.size]
STRICT = ["-Wall", "-Wextra", "-Werror", "-Wpedantic"]

_ARDUINO = """\
#pragma once
#include <stdio.h>
#include <stdint.h>
static inline unsigned long micros() { static unsigned long now; return now += 40; }
static inline void delay(unsigned long) {}
struct Port {
    void begin(unsigned long) {}
    void print(const char *text) { fputs(text, stdout); }
    void print(int number) { printf("%d", number); }
    void print(unsigned long number) { printf("%lu", number); }
    void println(const char *text) { puts(text); }
};
static Port Serial;
void setup();
void loop();
"""


def export_as(layout: str, folder: Path, model: bytes = MODEL, **options: Any) -> Export:
    return to_c(model, folder / "out", name="net", layout=layout, **options)


def run(*command: str | Path, folder: Path | None = None) -> str:
    """Standard output of a command that must succeed without a warning."""
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def best_class(exported: Export) -> int:
    given = np.random.default_rng(0).integers(-128, 128, exported.manifest["inputs"][0]["shape"], np.int8)
    return int(build_host(exported.path).run(given).argmax())


def test_there_are_names_for_all_classes() -> None:
    assert len(NAMES) == OUTPUT.size


def test_cmake_builds_the_example_by_itself(tmp_path: Path) -> None:
    exported = export_as("cmake", tmp_path, class_names=NAMES)
    run(
        "cmake",
        "-S",
        exported.path,
        "-B",
        tmp_path / "build",
        "-G",
        "Ninja",
        f"-DCMAKE_C_FLAGS={' '.join(STRICT)}",
    )
    run("cmake", "--build", tmp_path / "build")
    best = best_class(exported)
    said = run(tmp_path / "build/example").splitlines()
    assert re.fullmatch(re.escape(f"class {best} ({NAMES[best]}), ") + r"[01]\.[0-9]{3}", said[0])
    assert said[1:] == ["every byte as expected"]
    assert list(read_manifest(exported.path).class_names) == NAMES


def test_cmake_places_the_arena(tmp_path: Path) -> None:
    exported = export_as("cmake", tmp_path)
    run(
        "cmake", "-S", exported.path, "-B", tmp_path / "build", "-G", "Ninja", "-DNET_ARENA_SECTION=.bss.dtcm"
    )
    run("cmake", "--build", tmp_path / "build")
    listed = run("objdump", "-h", next((tmp_path / "build").rglob("net.c.o")))
    found = re.search(r"(?m)\.bss\.dtcm +([0-9a-f]+) [^\n]*\n +ALLOC$", listed)  # no CONTENTS: no flash
    assert found is not None
    assert int(found.group(1), 16) == exported.manifest["arena_bytes"]
    assert run(tmp_path / "build/example").endswith("every byte as expected\n")


@pytest.mark.parametrize("compiler", ["gcc -std=c11", "g++ -x c++ -std=c++11", "clang++ -x c++ -std=c++20"])
def test_plain_files_are_c_and_cpp(tmp_path: Path, compiler: str) -> None:
    exported = export_as("plain", tmp_path, class_names=NAMES)
    assert not (exported.path / "CMakeLists.txt").exists()
    sources = sorted(exported.path.glob("*.c"))
    run(*compiler.split(), *STRICT, "-O1", *sources, "-o", tmp_path / "example")
    assert run(tmp_path / "example").endswith("every byte as expected\n")


def test_all_operators_are_cpp(tmp_path: Path) -> None:
    """In plain C, which is what a core without kernels gets."""
    exported = export_as("plain", tmp_path, all_at_once(), target="cortex-m0plus")
    sources = [exported.path / name for name in exported.manifest["sources"]]
    command = ["arm-none-eabi-g++", "-x", "c++", "-mcpu=cortex-m0plus", "-mthumb", *STRICT, "-fsyntax-only"]
    run(*command, *sources)


@pytest.mark.parametrize("flags", ["-mcpu=cortex-m33", "-mcpu=cortex-m0plus"])
def test_cpp_for_arm(tmp_path: Path, flags: str) -> None:
    """As assembly and in plain C, each function that another file knows has its own name."""
    exported = export_as("plain", tmp_path)
    command = ["arm-none-eabi-g++", "-x", "c++", flags, "-mthumb", *STRICT, "-O1", "-c"]
    run(*command, *(exported.path / name for name in exported.manifest["sources"]), folder=tmp_path)
    objects = sorted(tmp_path.glob("*.o"))
    run("arm-none-eabi-ld", "-r", *objects, "-o", tmp_path / "whole.elf")
    symbols = [line.split()[-2:] for line in run("arm-none-eabi-nm", tmp_path / "whole.elf").splitlines()]
    assert ["T", "net_run"] in symbols
    assert not [name for kind, name in symbols if kind.isupper() and name.startswith("_Z")]
    assert not [name for kind, name in symbols if kind == "U" and name.startswith("net_")]


def test_the_arduino_sketch(tmp_path: Path) -> None:
    """As the IDE does it: every file of src/ by its language, the sketch as C++ after Arduino.h."""
    exported = export_as("arduino", tmp_path, class_names=NAMES)
    properties = dict(
        line.split("=", 1) for line in (exported.path / "library.properties").read_text().splitlines()
    )
    assert properties["name"] == "net"
    assert (exported.path / "src" / properties["includes"]).is_file()
    (tmp_path / "Arduino.h").write_text(_ARDUINO)
    (tmp_path / "main.cpp").write_text(
        f'#include "Arduino.h"\n#include "{exported.path}/examples/classify/classify.ino"\n'
        "int main() { setup(); loop(); loop(); }\n"
    )
    run("gcc", "-std=gnu11", *STRICT, "-c", *(exported.path / "src").glob("*.c"), folder=tmp_path)
    run(
        "g++",
        *STRICT,
        "-I",
        exported.path / "src",
        "main.cpp",
        *tmp_path.glob("*.o"),
        "-o",
        "sketch",
        folder=tmp_path,
    )
    assert (
        run(tmp_path / "sketch")
        == f"class {NAMES[best_class(exported)]}, 40 us, every byte as expected\n" * 2
    )


def test_the_cmsis_pack_lists_what_a_build_needs(tmp_path: Path) -> None:
    exported = export_as("cmsis-pack", tmp_path)
    package = ElementTree.parse(exported.path / "keras_approx.net.pdsc").getroot()
    assert (package.findtext("vendor"), package.findtext("name")) == ("keras_approx", "net")
    component = package.find("components/component")
    assert component is not None
    assert component.get("Cversion") == package.find("releases/release").get("version")
    listed = [entry.attrib for entry in component.iterfind("files/file")]
    assert all((exported.path / entry["name"]).exists() for entry in listed)
    sources = [entry["name"] for entry in listed if entry["category"] == "source"]
    assert sources == [*exported.manifest["sources"], "example.c"]
    include = next(entry["name"] for entry in listed if entry["category"] == "include")
    run("gcc", *STRICT, "-I", include, *sources, "-o", tmp_path / "example", folder=exported.path)
    assert run(tmp_path / "example").endswith("every byte as expected\n")


@pytest.mark.parametrize("layout", ["arduino", "plain"])
def test_several_inputs_and_states(tmp_path: Path, layout: str) -> None:
    exported = export_as(layout, tmp_path, all_at_once(("variable", "lstm", "svdf")))
    sources = [exported.path / name for name in exported.manifest["sources"]]
    if layout == "plain":
        run("gcc", *STRICT, *sources, exported.path / "example.c", "-o", tmp_path / "example")
        assert run(tmp_path / "example") == "every byte as expected\n"
        return
    (tmp_path / "Arduino.h").write_text(_ARDUINO)
    sketch = exported.path / "examples/classify/classify.ino"
    (tmp_path / "main.cpp").write_text(
        f'#include "Arduino.h"\n#include "{sketch}"\nint main() {{ loop(); loop(); }}\n'
    )
    run("gcc", "-c", *sources, folder=tmp_path)
    run(
        "g++", "-I", exported.path / "src", "main.cpp", *tmp_path.glob("*.o"), "-o", "sketch", folder=tmp_path
    )
    assert run(tmp_path / "sketch") == "40 us, every byte as expected\n" * 2  # the second after a reset


def test_the_example_sees_a_wrong_byte(tmp_path: Path) -> None:
    exported = export_as("plain", tmp_path)
    text = (exported.path / "example.c").read_text()
    start = text.index("expected[")
    first = re.compile(r"(?<=    )-?\d+(?=,)").search(text, start)
    assert first is not None
    other = str(-1 - int(first.group()))
    (tmp_path / "wrong.c").write_text(text[: first.start()] + other + text[first.end() :])
    sources = [exported.path / name for name in exported.manifest["sources"]]
    run("gcc", "-I", exported.path, *sources, tmp_path / "wrong.c", "-o", tmp_path / "wrong")
    done = subprocess.run([tmp_path / "wrong"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (1, "WRONG BYTES")


@pytest.mark.parametrize("kind", ["real", "int8", "batch of one"])
def test_a_sample_of_the_users(tmp_path: Path, kind: str) -> None:
    graph = read_tflite(MODEL)
    values = inputs_of(graph, 3)[2]
    quant = graph.tensors[graph.input].quant
    real = (values.astype(np.float32) - quant.zero_point) * np.float32(quant.scale)
    exported = export_as(
        "plain", tmp_path, sample={"real": real, "int8": values, "batch of one": real[None]}[kind]
    )
    listed = (exported.path / "example.c").read_text().split("sample[")[1].split("};")[0].split("= {")[1]
    assert [int(number) for number in re.findall(r"-?\d+", listed)] == values.ravel().tolist()


@pytest.mark.parametrize("layout", ["arduino"])
def test_other_tools_take_any_layout(tmp_path: Path, layout: str) -> None:
    exported = export_as(layout, tmp_path)
    inputs = inputs_of(read_tflite(MODEL), 2)
    np.testing.assert_array_equal(
        simulate(exported.path, inputs).outputs, build_host(exported.path, sanitize=True).run(inputs)
    )


def test_an_export_of_another_layout_is_replaced(tmp_path: Path) -> None:
    for layout in ("arduino", "cmake", "cmsis-pack", "plain"):
        files = set(export_as(layout, tmp_path).manifest["files"])
        found = {
            str(path.relative_to(tmp_path / "out"))
            for path in (tmp_path / "out").rglob("*")
            if path.is_file()
        }
        assert found == files


@pytest.mark.parametrize("foreign", ["src/mine.c", "src/deep/mine.c", "mine/net.c", "examples/other/x.ino"])
def test_what_lies_among_an_exports_files_is_left_alone(tmp_path: Path, foreign: str) -> None:
    folder = export_as("arduino", tmp_path).path
    (folder / foreign).parent.mkdir(parents=True, exist_ok=True)
    (folder / foreign).write_text("mine")
    with pytest.raises(OutputPathError, match="which no earlier export wrote"):
        export_as("cmake", tmp_path)
    assert (folder / foreign).read_text() == "mine"


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (
            {"layout": "make"},
            ExportError,
            "layout must be one of cmake, arduino, cmsis-pack, plain, got 'make'",
        ),
        ({"class_names": "abcd"}, ExportError, "must be a sequence of texts"),
        ({"class_names": []}, ExportError, "must be a sequence of texts"),
        ({"class_names": ["a", "b\n", "c", "d"]}, ExportError, r"letters, got 'b\\n'"),
        ({"class_names": ["a", "b", "c", "\ud800"]}, ExportError, "must be a sequence of texts"),
        ({"class_names": ["a", "b", "c", 4]}, ExportError, "letters, got 4"),
        ({"class_names": ["a", "b"]}, ExportError, "got 2 names"),
        ({"sample": np.zeros((3, 3), np.float32)}, InputError, "expected a sample of shape"),
        ({"sample": [[1], [1, 2]]}, InputError, "expected a sample of shape .* inhomogeneous"),
        ({"sample": np.full((5, 6, 1), np.nan, np.float32)}, InputError, "finite real numbers or int8"),
        ({"sample": np.zeros((5, 6, 1), np.uint8)}, InputError, "got uint8"),
        ({"sample": "first"}, InputError, "expected a sample"),
    ],
)
def test_bad_options_are_refused(
    tmp_path: Path, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        to_c(MODEL, tmp_path / "out", **options)
    assert not list(tmp_path.iterdir())
