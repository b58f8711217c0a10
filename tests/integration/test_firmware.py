"""Firmware that `keras-approx firmware` writes: run in QEMU where there is a machine for it, built for every board."""

from __future__ import annotations

import re
import subprocess
import threading
from pathlib import Path

import numpy as np
import pytest

from export.api import to_c
from export.errors import InputError
from export.firmware import write_firmware
from export.firmware.capture import parse_capture
from export.firmware.comparison import compare
from export.targets import BOARDS
from tests.export.models.networks import Layers, random_inputs

# QEMU's Netduino Plus 2 is an STM32F405 without CCM, PLL, flash controller, cycle counter, and SRAM at 0.
QEMU_BOARD = """\
name = "qemu-f405"
like = "stm32f405"
source = "QEMU, netduinoplus2"
[[placement]]
activations = ["SRAM1", "SRAM2"]
stack = "SRAM2"
"""
SERIAL = ("-serial", "stdio")
SEMIHOSTING = ("-serial", "none", "-semihosting-config", "enable=on,target=native")


def network() -> bytes:
    layers = Layers(np.random.default_rng(3), zeros=0.5)
    x = layers.input((8, 8, 3))
    y = layers.pool(layers.conv(x, 8, activation="relu"))
    return layers.builder.finish(x, layers.dense(layers.builder.reshape(y, (1, 128)), 10))


@pytest.fixture(scope="module")
def out_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("firmware")
    (folder / "qemu.toml").write_text(QEMU_BOARD)
    return to_c(network(), folder / "out", name="tiny", target=folder / "qemu.toml", layout="arduino").path


@pytest.fixture(scope="module")
def project(out_dir: Path) -> Path:
    """The firmware, configured."""
    folder = write_firmware(out_dir, out_dir.parent / "firmware", inputs=random_inputs((8, 8, 3), 2)).path
    configure(folder, out_dir.parent / "build", "uart")
    return folder


def configure(folder: Path, build: Path, output: str) -> None:
    command = ["cmake", "-S", str(folder), "-B", str(build), "-G", "Ninja", f"-DOUTPUT={output}"]
    check([*command, "-DCMAKE_TOOLCHAIN_FILE=arm-none-eabi.cmake"])


def check(command: list[str]) -> None:
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "arning" not in result.stdout + result.stderr


def run(build: Path, *options: str) -> str:
    """Builds firmware and runs it until it prints its last line; returns what it printed."""
    check(["cmake", "--build", str(build)])
    command = ["qemu-system-arm", "-M", "netduinoplus2", "-nographic", "-monitor", "none", *options]
    text = ""
    with subprocess.Popen(
        [*command, "-kernel", str(build / "firmware.elf")],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as machine:
        watchdog = threading.Timer(60, machine.kill)  # firmware that hangs ends the lines early
        watchdog.start()
        try:
            assert machine.stdout is not None
            for line in machine.stdout:
                text += line
                if line.startswith(("done", "fault")):
                    break
        finally:
            watchdog.cancel()
            machine.kill()
    return text


def changed(project: Path, file: str, before: str, after: str) -> str:
    """Changes a file of the project; returns what it was."""
    text = (project / file).read_text()
    assert before in text
    (project / file).write_text(text.replace(before, after, 1))
    return text


def test_f405_firmware_passes(project: Path, out_dir: Path) -> None:
    capture = parse_capture(run(out_dir.parent / "build", *SERIAL))
    assert (capture.network, capture.board, capture.clock_hz) == ("tiny", "qemu-f405", 16_000_000)
    assert "the PLL did not start; full speed is 168000000 Hz" in capture.warnings  # as QEMU has none
    assert [sample.verdict for sample in capture.samples] == ["PASS", "PASS"]
    assert 100 < capture.stack_bytes < 512
    with pytest.raises(InputError, match="the core counted none, as in an emulator"):
        compare(project, capture)


TIMER = """\
#define SYST REGISTER(0xE000E010)
static uint32_t ticks;
static uint32_t *tick(void)
{
    if (!(SYST & 1u)) {
        REGISTER(0xE000E014) = 0xFFFFFFu;
        SYST = 5u;
    }
    ticks = 0xFFFFFFu - REGISTER(0xE000E018);
    return &ticks;
}
#define DWT_CYCCNT (*tick())
"""


def test_cycles_by_layer_are_compared(project: Path, out_dir: Path) -> None:
    """With QEMU's timer for a cycle counter: what it counts is time, but it counts."""
    before = changed(project, "main.c", "#define DWT_CYCCNT REGISTER(0xE0001004)\n", TIMER)
    try:
        capture = parse_capture(run(out_dir.parent / "build", *SERIAL, "-icount", "shift=6"))
    finally:
        (project / "main.c").write_text(before)
    found = compare(project, capture)
    assert found.passed
    assert found.basis == "export, without waits"  # the clock is that after reset
    assert found.predicted is not None
    assert [layer.index for layer in found.layers] == list(range(len(found.layers)))
    assert all(layer.measured > 0 for layer in found.layers)
    assert 0.9 * found.measured < sum(layer.measured for layer in found.layers) <= found.measured
    assert max(found.layers, key=lambda layer: layer.measured).kind == "conv2d"


def test_wrong_bytes_fail(project: Path, out_dir: Path) -> None:
    before = (project / "samples.c").read_text()
    _, rows = before.split("sample_outputs")
    byte = re.search(r"\d+", rows.split("=", 1)[1])
    assert byte is not None
    wrong = (int(byte[0]) + 1) % 256
    (project / "samples.c").write_text(before.replace(f"{{\n        {byte[0]},", f"{{\n        {wrong},"))
    try:
        capture = parse_capture(run(out_dir.parent / "build", *SERIAL))
    finally:
        (project / "samples.c").write_text(before)
    assert not capture.passed
    assert any(sample.verdict.startswith("FAIL: byte 0 is ") for sample in capture.samples)


@pytest.mark.parametrize(
    ("file", "at"),
    [("startup.c", "    copy(data_start, data_end, data_load);\n"), ("main.c", "    paint_stack();\n")],
)
def test_faults_are_reported(project: Path, out_dir: Path, file: str, at: str) -> None:
    """One before any variable has a value and the UART is up, one at work."""
    before = changed(project, file, at, f"*(volatile uint32_t *)0x30000000u = 0;\n{at}")
    try:
        text = run(out_dir.parent / "build", *SERIAL)
    finally:
        (project / file).write_text(before)
    fault = next(line for line in text.splitlines() if line.startswith("fault"))
    assert re.fullmatch(
        r"fault 3: at 0x0800\w{4}, called from 0x0800\w{4}, CFSR 0x00008200, HFSR 0x40000000, MMFAR 0x\w{8}, "
        "BFAR 0x30000000",
        fault.strip(),
    )
    if file == "main.c":
        with pytest.raises(InputError, match="the firmware stopped with a fault 3"):
            parse_capture(text)


def test_a_stack_that_overflows_is_reported(project: Path, out_dir: Path) -> None:
    at = "    paint_stack();\n"
    overflow = '__asm__ volatile("mov sp, %0\\npush {r0}" : : "r"(0x20000000u));\n'
    before = changed(project, "main.c", at, at + overflow)
    try:
        assert "stack overflow" in run(out_dir.parent / "build", *SERIAL)
    finally:
        (project / "main.c").write_text(before)


def test_semihosting_prints_the_same(project: Path, out_dir: Path) -> None:
    build = out_dir.parent / "semihosting"
    configure(project, build, "semihosting")
    assert parse_capture(run(build, *SEMIHOSTING)).passed


@pytest.mark.slow
@pytest.mark.parametrize("name", BOARDS)
def test_every_board_is_built_without_warnings(name: str, tmp_path: Path) -> None:
    """With kernels that run as copies from RAM where the board has a bank for them."""
    layers = Layers(np.random.default_rng(7), zeros=0.7)
    x = layers.input((8, 8, 8))
    y = layers.conv(x, 32, activation="relu")
    model = layers.builder.finish(x, layers.dense(layers.builder.reshape(y, (1, 2048)), 4))
    board = BOARDS[name]
    export = to_c(model, tmp_path / "out", target=name)
    placement = board.place(export.estimate.ram_bytes + 512)
    configure(write_firmware(export.path, tmp_path / "firmware").path, tmp_path / "build", "uart")
    check(["cmake", "--build", str(tmp_path / "build")])
    binary = (tmp_path / "build" / "firmware.bin").read_bytes()
    stack, reset = np.frombuffer(binary[:8], "<u4").tolist()
    assert stack == placement.stack.origin + placement.stack.size
    assert board.flash.origin < reset < board.flash.origin + len(binary)
    listed = subprocess.run(
        ["arm-none-eabi-nm", str(tmp_path / "build" / "firmware.elf")],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    symbols = {
        line.split()[2]: int(line.split()[0], 16) for line in listed.splitlines() if len(line.split()) == 3
    }
    assert placement.origin <= symbols["bss_start"] <= symbols["bss_end"] <= placement.origin + placement.size
    if export.estimate.copied_bytes:
        assert placement.code is not None
        assert symbols["copies"] == placement.code.code_origin
        assert symbols["copies_start"] == placement.code.origin
        assert symbols["copies_end"] - symbols["copies_start"] >= export.estimate.copied_bytes
