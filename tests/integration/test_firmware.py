"""The STM32 firmware: run in QEMU where there is a machine for it, else built."""

import re
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from export.api import to_c
from export.artifact.compiling import build_host
from export.frontend.reference import run_reference
from tests.export import handmade
from tests.export.networks import Layers, random_inputs

PROJECT = Path(__file__).parents[2] / "examples" / "stm32"


def build(out_dir, images, folder, board, output="uart"):
    np.save(folder / "images.npy", images)
    convert = [
        sys.executable,
        str(PROJECT / "images_to_c.py"),
        str(folder / "images.npy"),
        str(folder / "images.c"),
    ]
    configure = [
        *("cmake", "-S", str(PROJECT), "-B", str(folder / "build"), "-G", "Ninja"),
        *("-DCMAKE_TOOLCHAIN_FILE=arm-none-eabi.cmake", f"-DBOARD={board}", f"-DOUTPUT={output}"),
        *(f"-DNETWORK={out_dir}", f"-DIMAGES={folder / 'images.c'}"),
    ]
    for command in (convert, configure, ["cmake", "--build", str(folder / "build")]):
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stdout + result.stderr
    return folder / "build" / "firmware.elf"


def run(elf, *options):
    """Runs firmware until it prints its last line; returns the lines."""
    command = [
        "qemu-system-arm",
        "-M",
        "netduinoplus2",
        "-nographic",
        "-monitor",
        "none",
        *options,
        "-kernel",
        str(elf),
    ]
    lines = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as machine:
        watchdog = threading.Timer(60, machine.kill)  # firmware that hangs ends the lines early
        watchdog.start()
        try:
            assert machine.stdout is not None
            for line in machine.stdout:
                lines.append(line.strip())
                if lines[-1] in ("done", "fault") or "error" in lines[-1]:
                    break
        finally:
            watchdog.cancel()
            machine.kill()
    return lines


def parse(lines):
    """Classes and int8 outputs of the image lines."""
    found = [
        re.fullmatch(r"image (\d+): class (\d+), cycles (?:\d+|not counted), output(.*)", line)
        for line in lines
    ]
    assert all(found), lines
    assert [int(match[1]) for match in found] == list(range(len(found)))
    return [int(match[2]) for match in found], np.array([match[3].split() for match in found], np.int64)


@pytest.mark.parametrize(
    ("output", "options"),
    [
        ("uart", ["-serial", "stdio"]),
        ("semihosting", ["-serial", "none", "-semihosting-config", "enable=on,target=native"]),
    ],
)
def test_f405_firmware_prints_classes_and_bytes(tmp_path, output, options):
    images = handmade.inputs(10)
    out_dir = handmade.write_project(tmp_path / "out")
    lines = run(build(out_dir, images, tmp_path, "stm32f405", output), *options)
    assert (
        lines[0] == "network model on stm32f405 at 16000000 Hz"
    )  # QEMU has no PLL, and the firmware says so
    assert lines[1].startswith("warning: the PLL did not start")
    assert lines[-1] == "done"
    classes, outputs = parse(lines[2:-1])
    expected = handmade.reference(images)
    np.testing.assert_array_equal(outputs, expected)
    assert classes == expected.argmax(axis=1).tolist()
    np.testing.assert_array_equal(build_host(out_dir).run(images), expected)


def test_f405_firmware_runs_an_exported_network(tmp_path):
    network = Layers(np.random.default_rng(3), zeros=0.5)
    x = network.input((8, 8, 3))
    y = network.pool(network.conv(x, 8, activation="relu"))
    tflite = network.builder.finish(x, network.dense(network.builder.reshape(y, (1, 128)), 10))
    images = random_inputs((8, 8, 3), 10)
    out_dir = to_c(tflite, tmp_path / "out", name="tiny", target="stm32f405").path
    lines = run(build(out_dir, images, tmp_path, "stm32f405"), "-serial", "stdio")
    assert lines[0].startswith("network tiny on stm32f405")
    classes, outputs = parse(lines[2:-1])
    expected = run_reference(tflite, images)
    np.testing.assert_array_equal(outputs, expected)
    assert classes == expected.argmax(axis=1).tolist()


def test_images_of_another_size_are_reported(tmp_path):
    out_dir = handmade.write_project(tmp_path / "out")
    lines = run(build(out_dir, handmade.inputs(3).reshape(4, 6), tmp_path, "stm32f405"), "-serial", "stdio")
    assert lines[-1] == "error: the images are not of the network's input size"


def test_u575_firmware_is_built(tmp_path):
    elf = build(handmade.write_project(tmp_path / "out"), handmade.inputs(10), tmp_path, "nucleo-u575zi-q")
    header = subprocess.run(
        ["arm-none-eabi-readelf", "-hA", str(elf)], capture_output=True, text=True, check=True
    ).stdout
    assert "v8-M.mainline" in header
    binary = elf.with_suffix(".bin").read_bytes()
    stack, reset = np.frombuffer(binary[:8], "<u4").tolist()
    assert stack == 0x200C0000
    assert 0x08000000 < reset < 0x08000000 + len(binary)


def test_unknown_boards_are_refused(tmp_path):
    configure = ["cmake", "-S", str(PROJECT), "-B", str(tmp_path / "build"), "-G", "Ninja", "-DBOARD=arduino"]
    configure.append("-DCMAKE_TOOLCHAIN_FILE=arm-none-eabi.cmake")
    result = subprocess.run(configure, capture_output=True, text=True, check=False)
    assert result.returncode != 0
    assert "unknown BOARD 'arduino'; expected nucleo-u575zi-q or stm32f405" in " ".join(result.stderr.split())
