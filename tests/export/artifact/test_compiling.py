"""Compiling an export by hand for the host and for Arm: outputs, sizes, whose they are, and errors."""

import numpy as np
import pytest

from export.artifact.compiling import build_arm, build_host
from export.artifact.manifest import read_manifest
from export.errors import InputError, SimulationError, TargetError, ToolError
from export.targets import CORES
from tests.export import handmade
from tests.export.boards import board_of_size


@pytest.fixture(scope="module")
def out_dir(tmp_path_factory):
    return handmade.write(tmp_path_factory.mktemp("build") / "out")


@pytest.mark.parametrize("sanitize", [False, True])
def test_host_build_computes_the_reference(out_dir, sanitize):
    batch = handmade.inputs(100)
    before = sorted(path.name for path in out_dir.iterdir())
    outputs = build_host(out_dir, sanitize=sanitize).run(batch)
    assert outputs.dtype == np.int8
    np.testing.assert_array_equal(outputs, handmade.reference(batch))
    assert sorted(path.name for path in out_dir.iterdir()) == before


def test_real_inputs_are_quantized(out_dir):
    batch = handmade.inputs(6)
    info = read_manifest(out_dir).inputs[0]
    real = (batch.astype(np.float32) - info.zero_point) * np.float32(info.scale)
    model = build_host(out_dir)
    for given in (real, real.astype(np.float64)):
        np.testing.assert_array_equal(model.run(given), handmade.reference(batch))


def test_a_single_input_is_a_batch_of_one(out_dir):
    batch = handmade.inputs(1)
    np.testing.assert_array_equal(build_host(out_dir, cc="clang").run(batch[0]), handmade.reference(batch))


@pytest.mark.parametrize(
    "inputs",
    [
        np.zeros((2, 8), np.uint8),
        np.full((2, 8), np.nan),
        np.zeros((2, 7), np.float32),
        np.zeros((2, 7), np.int8),
        np.zeros((1, 2, 8), np.int8),
        [[0] * 8],
    ],
)
def test_inputs_of_another_type_or_shape_are_refused(out_dir, inputs):
    with pytest.raises(InputError, match="expected"):
        build_host(out_dir).run(inputs)


def test_sanitizers_stop_a_faulty_network(tmp_path):
    folder = handmade.write(tmp_path / "out")
    source = folder / "model.c"
    source.write_text(source.read_text().replace("i < MODEL_INPUT_SIZE", "i < 60"))
    with pytest.raises(SimulationError, match=r"AddressSanitizer|runtime error"):
        build_host(folder, sanitize=True).run(handmade.inputs(1))


def test_an_error_returned_by_the_network_is_ours(tmp_path):
    folder = handmade.write(tmp_path / "out")
    source = folder / "model.c"
    source.write_text(source.read_text().replace("return 0;", "return 5;"))
    with pytest.raises(SimulationError, match="status 2"):
        build_host(folder).run(handmade.inputs(1))


@pytest.mark.parametrize("core", sorted(set(CORES) - {"host"}))
def test_arm_image_sizes_add_up(out_dir, core):
    image = build_arm(out_dir, core)
    assert image.ram_bytes == 48
    assert set(image.flash_by_layer) == {None, 0, 1}
    assert sum(image.flash_by_layer.values()) == image.flash_bytes
    assert all(image.flash_by_layer[layer] > 32 for layer in (0, 1))
    assert image.layer_at(image.address_of("model_00_dense")) == 0
    assert image.layer_at(image.address_of("model_run")) is None


def test_clang_compiles_the_same_export(out_dir):
    image = build_arm(out_dir, "cortex-m4", compiler="clang")
    assert image.flash_by_layer[0] == build_arm(out_dir, "cortex-m4").flash_by_layer[0]


def test_code_ranges_leave_literals_out(out_dir):
    image = build_arm(out_dir)
    start = image.address_of("model_00_dense")
    inside = [(first, last) for first, last in image.code_ranges if first == start]
    assert len(inside) == 1
    code = next(segment for segment in image.segments if segment.executable)
    literals = code.data[inside[0][1] - code.address : start + image.flash_by_layer[0] - code.address]
    assert literals[:4] == handmade.WEIGHTS[0, :2].tobytes()


def test_a_network_that_does_not_fit_says_by_how_much(out_dir):
    small = board_of_size("nucleo-u575zi-q", flash_bytes=64, ram_bytes=1 << 16)
    with pytest.raises(TargetError, match=r"does not fit small(.|\n)*overflowed by \d+ bytes"):
        build_arm(out_dir, board=small)


def test_host_is_no_arm_core(out_dir):
    with pytest.raises(TargetError, match="expected an Arm core"):
        build_arm(out_dir, "host")


def test_missing_compilers_are_named_with_what_installs_them(out_dir, monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(ToolError, match="apt install gcc-arm-none-eabi libnewlib-arm-none-eabi"):
        build_arm(out_dir)
    with pytest.raises(ToolError, match="apt install gcc"):
        build_host(out_dir)


def test_compiler_errors_show_the_end_of_what_it_said(tmp_path):
    folder = handmade.write(tmp_path / "out")
    with (folder / "model_01_clip.c").open("a") as source:
        source.write("int model_01_unused(int x) { int y; return 0; }\n")
    for build in (build_host, build_arm):
        with pytest.raises(ToolError, match=r"failed with status 1:(.|\n)*unused"):
            build(folder)
