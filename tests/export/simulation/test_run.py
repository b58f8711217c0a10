"""The simulator on an export written by hand: outputs, counts, attribution, the cache and faults."""

import json

import numpy as np
import pytest
import unicorn

from export.artifact.compiling import build_arm
from export.errors import InputError, SimulationError, TargetError, ToolError
from export.simulation import simulate
from export.simulation.emulator import Emulator
from export.simulation.listing import disassemble
from export.simulation.trace_cycles import TracePricer
from export.targets import BOARDS, CORES, Memory, block_cycles
from export.targets.assembly import decode
from tests.export import handmade
from tests.export.timings import timing_of

ARM_CORES = sorted(set(CORES) - {"host"})


@pytest.fixture(scope="module")
def out_dir(tmp_path_factory):
    return handmade.write(tmp_path_factory.mktemp("simulate") / "out")


@pytest.mark.parametrize("core", ARM_CORES)
def test_outputs_are_exact_and_figures_add_up(out_dir, core):
    batch = handmade.inputs(12)
    result = simulate(out_dir, batch, core=core)
    np.testing.assert_array_equal(result.outputs, handmade.reference(batch))
    assert [layer.index for layer in result.per_layer] == [0, 1, None]
    assert result.cycles == sum(layer.cycles for layer in result.per_layer)
    assert result.instructions == sum(layer.instructions for layer in result.per_layer)
    assert result.flash_bytes == sum(layer.flash_bytes for layer in result.per_layer)
    assert result.worst_cycles >= result.cycles > 0
    assert result.ram_bytes == 48
    assert 20 <= result.stack_bytes < 100
    assert set(result.per_function) == {"model_run", "model_00_dense", "model_01_clip"}


def test_straight_line_layer_costs_what_the_timing_model_says(out_dir):
    """The dense layer on M33: prologue, 4 rows of 4 literals and MACs, epilogue."""
    layer = simulate(out_dir, handmade.inputs(1)).per_layer[0]
    image = build_arm(out_dir)
    listing = disassemble(image)
    start = image.address_of("model_00_dense")
    size = next(stop for first, stop in image.code_ranges if first == start) - start
    block = [decode(line.mnemonic, line.operands, 8 * line.length) for line in listing.block(start, size)]
    assert layer.instructions == len(block) == 44
    assert layer.cycles == block_cycles(block, timing_of("cortex-m33"), taken=True)


def test_instruction_counts_agree_with_single_steps(out_dir):
    """Block counts against a hook on every instruction, on a core without IT, whose skipped instructions that hook
    does not see.
    """
    core = "cortex-m0plus"
    image = build_arm(out_dir, core)
    listing = disassemble(image)
    emulator = Emulator(image, listing, flash=None, timing=timing_of(core), max_instructions=10**6)
    stepped = []
    emulator._machine.hook_add(
        unicorn.UC_HOOK_CODE, lambda machine, address, size, data: stepped.append(address)
    )
    pricer = TracePricer(listing, timing_of(core), {})
    for values in handmade.inputs(5):
        stepped.clear()
        emulator.run(values)
        assert pricer.price(emulator.take()).instructions.total() == len(stepped)


def test_flash_is_waited_for_once_when_the_code_fits(out_dir):
    """Cold start alone: each 16-byte line of code and constants is waited for once, by every reading."""
    image = build_arm(out_dir)
    flash = BOARDS["nucleo-u575zi-q"].flash
    emulator = Emulator(
        image,
        disassemble(image),
        flash=flash,
        timing=timing_of("cortex-m33"),
        max_instructions=10**6,
    )
    emulator.run(handmade.inputs(1)[0])
    lines = sum(len(segment.data) // 16 + 2 for segment in image.segments)
    first = emulator.take().waits.sum(axis=0)
    assert len(first) == len(flash.readings) == 4
    assert 0 < first.min() <= first.max() <= 2 * (flash.waits + 1) * lines
    emulator.run(handmade.inputs(2)[1])
    assert emulator.take().waits.sum(axis=0).max() <= 4 * flash.waits  # branches the first input did not take


def test_loads_of_constants_are_found_in_flash(out_dir):
    """The clip layer reads its limits through a pointer that walks over a table of constants."""
    image = build_arm(out_dir)
    emulator = Emulator(
        image,
        disassemble(image),
        flash=None,
        timing=timing_of("cortex-m33"),
        max_instructions=10**6,
    )
    emulator.run(handmade.inputs(1)[0])
    found: dict[str | None, list[int]] = {image.symbol_at(address): [] for address in emulator.memories()}
    for address, memory in emulator.memories().items():
        found[image.symbol_at(address)].append(memory)
    assert Memory.FLASH in found["model_01_clip"]
    assert Memory.SRAM in found["model_01_clip"]


def test_board_figures(out_dir):
    batch = handmade.inputs(4)
    default = simulate(out_dir, batch)
    assert (default.board, default.clock_hz) == ("nucleo-u575zi-q", 160_000_000)
    assert default.board_cycles is not None
    low, high = default.board_cycles
    assert default.cycles < low <= high
    assert default.milliseconds == (low / 160_000, high / 160_000)
    assert simulate(out_dir, batch, board="stm32f405").core == "cortex-m4"
    without = simulate(out_dir, batch, core="cortex-m4")
    assert (without.board, without.board_cycles, without.milliseconds) == (None, None, None)


def test_figures_are_saved_and_shown(out_dir, tmp_path):
    result = simulate(out_dir, handmade.inputs(2))
    result.save(tmp_path / "result.json")
    saved = json.loads((tmp_path / "result.json").read_text())
    assert saved["cycles"] == result.cycles
    assert saved["per_layer"][0]["name"] == 'a"); system("'
    assert "outputs" not in saved
    assert f"{result.cycles:,}" in str(result)
    assert "160 MHz" in str(result)


def _broken(tmp_path, old, new, source="model_01_clip.c"):
    folder = handmade.write(tmp_path / "out")
    path = folder / source
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return folder


def test_a_wild_store_is_an_error_with_its_place(tmp_path):
    folder = _broken(
        tmp_path,
        "output[i] = (int8_t)value;",
        "output[i] = 0; ((volatile int8_t *)0x08000000)[i] = (int8_t)value;",
    )
    with pytest.raises(SimulationError, match=r"faulted at 0x08000.* in model_01_clip"):
        simulate(folder, handmade.inputs(1))


def test_an_endless_loop_is_stopped(tmp_path):
    folder = _broken(
        tmp_path, "output[i] = (int8_t)value;", "output[i] = 0; for (volatile int k = 0; k < 2;) {}"
    )
    with pytest.raises(SimulationError, match="ran too long; raise max_instructions"):
        simulate(folder, handmade.inputs(1), max_instructions=10_000)


def test_an_error_status_is_an_error(tmp_path):
    folder = _broken(tmp_path, "return 0;", "return -1;", "model.c")
    with pytest.raises(SimulationError, match="model_run returned"):
        simulate(folder, handmade.inputs(1))


def test_an_instruction_without_timing_is_an_error(tmp_path):
    folder = _broken(
        tmp_path, "int32_t value = model", '__asm__("strex r3, r2, [r1]" ::: "r3"); int32_t value = model'
    )
    with pytest.raises(SimulationError, match="no timing for the instruction 'strex"):
        simulate(folder, handmade.inputs(1))


@pytest.mark.parametrize(
    ("inputs", "options", "error"),
    [
        (np.zeros((1, 8), np.uint8), {}, InputError),
        (np.zeros((0, 8), np.int8), {}, InputError),
        (np.zeros((1, 9), np.int8), {}, InputError),
        (np.zeros((1, 8), np.int8), {"core": "cortex-m99"}, TargetError),
        (np.zeros((1, 8), np.int8), {"core": "host"}, TargetError),
        (np.zeros((1, 8), np.int8), {"board": "arduino"}, TargetError),
        (np.zeros((1, 8), np.int8), {"core": "cortex-m33", "board": "stm32f405"}, TargetError),
        (np.zeros((1, 8), np.int8), {"compiler": "cc"}, ToolError),
    ],
)
def test_bad_requests(out_dir, inputs, options, error):
    with pytest.raises(error):
        simulate(out_dir, inputs, **options)


def test_boards_may_have_external_ram(out_dir, tmp_path):
    """The emulator puts its stack and inputs where the board has no memory."""
    memories = '[flash]\norigin = 0x08000000\nbytes = 0x100000\nwaits = 0\nwidth = 16\nprefetch = "none"\n'
    for name, origin in (("SDRAM1", 0x60000000), ("SDRAM2", 0x61000000)):
        memories += f'[[ram]]\nname = "{name}"\norigin = {origin:#x}\nbytes = 0x10000\nwaits = 0\n'
    head = 'name = "external"\ncore = "cortex-m4"\nclock_hz = 100_000_000\nsource = "none"\n'
    placement = '[[placement]]\nactivations = ["SDRAM1"]\nstack = "SDRAM2"\n'
    (tmp_path / "external.toml").write_text(head + memories + placement)
    batch = handmade.inputs(2)
    result = simulate(out_dir, batch, board=str(tmp_path / "external.toml"))
    np.testing.assert_array_equal(result.outputs, handmade.reference(batch))
