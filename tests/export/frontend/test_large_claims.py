"""Small files that ask for large work: refused, or done in little memory."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from export.api import estimate, to_c
from export.errors import ExportError, UnsupportedModelError
from export.frontend import read_tflite
from tests.export.models.bench import Bench
from tests.export.models.model_builder import ModelBuilder, Value
from tests.export.models.networks import Layers
from tests.export.models.recipes import Recipe


@contextmanager
def at_most(megabytes: int) -> Iterator[None]:
    """Fails if the process takes so much more memory than at the start, whatever it took before that."""
    Path("/proc/self/clear_refs").write_text("5")  # Linux resets the peak
    before = peak()
    yield
    assert peak() - before < 1000 * megabytes


def peak() -> int:
    """The most memory that the process had since the reset, in kilobytes."""
    found = re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1])


def relu(size: int) -> bytes:
    builder = ModelBuilder()
    x = builder.tensor((1, size, size, 1), 0.1)
    return builder.finish(x, builder.elementwise("RELU", x, 0.1, 0))


def doubling(times: int) -> bytes:
    builder = ModelBuilder()
    x = y = builder.tensor((1, 1, 1, 1), 0.1)
    for _ in range(times):
        y = builder.concatenation([y, y])
    return builder.finish(x, y)


def deep(layers: int) -> bytes:
    builder = ModelBuilder()
    x = y = builder.tensor((1, 2048, 2048, 1), 0.1)
    for _ in range(layers):
        y = builder.elementwise("RELU", y, 0.1, 0)
    return builder.finish(x, y)


def pooled(window: int) -> bytes:
    builder = ModelBuilder()
    x = builder.tensor((1, 60, 60, 2), 0.1)
    return builder.finish(x, builder.pool("average", x, (window, window), (1, 1), padding="SAME"))


@pytest.mark.parametrize(
    ("make", "size"), [(relu, 5000), (relu, 46_000), (doubling, 25), (doubling, 30), (deep, 40)]
)
def test_activations_beyond_any_microcontroller(
    tmp_path: Path, make: Callable[[int], bytes], size: int
) -> None:
    with at_most(100), pytest.raises(UnsupportedModelError, match=r"elements"):
        to_c(make(size), tmp_path / "out")


@pytest.mark.parametrize(
    "make", [lambda: relu(3000), lambda: doubling(20), lambda: pooled(60_000), lambda: deep(10)]
)
def test_what_is_just_allowed_takes_little(make: Callable[[], bytes]) -> None:
    with at_most(500):
        estimate(make(), target="stm32f405")


def test_a_channel_without_weights_may_have_any_bias(tmp_path: Path) -> None:
    """The converter gives such channels a tiny scale and a bias of 2^30; another channel may shift to the left."""
    weights = np.zeros((2, 1, 1, 2), np.int8)
    weights[1, 0, 0] = [3, -2]
    builder = ModelBuilder()
    x = builder.tensor((1, 1, 1, 2), 0.1)
    scales = {"weight_scales": [1e-10, 2.0], "scale": 0.1, "zero_point": 0}
    y = builder.conv(x, weights, np.array([1 << 30, 5], np.int32), **scales)
    to_c(builder.finish(x, y), tmp_path / "out")
    y = builder.conv(x, weights, np.array([5, 1 << 30], np.int32), **scales)
    with pytest.raises(ExportError, match="overflow 32 bits"):
        to_c(builder.finish(x, y), tmp_path / "out")


def test_a_channel_without_weights_may_not_shift_out_of_a_word(tmp_path: Path) -> None:
    builder = ModelBuilder()
    x = builder.tensor((1, 1, 1, 2), 0.1)
    weights = np.array([[[[3, -2]]], [[[0, 0]]]], np.int8)
    y = builder.conv(x, weights, np.zeros(2, np.int32), weight_scales=[0.01, 1e20], scale=0.1, zero_point=0)
    with pytest.raises(ExportError, match="overflow 32 bits"):
        to_c(builder.finish(x, y), tmp_path / "out", target="cortex-m3")


def transposed(b: Bench) -> Value:
    x = b.builder.reshape(b.x, (1, 1, 1, 120))
    weights, bias = np.ones((4, 3, 3, 120), np.int8), np.zeros(4, np.int32)
    scales = {"weight_scales": [0.1] * 4, "scale": 0.1, "zero_point": 0}
    y = b.builder.transposed(x, weights, bias, **scales, stride=(1, 1), padding="SAME")
    options = b.builder._operators[-1].builtinOptions
    options.strideH = options.strideW = 1 << 16
    return y


def grouped(b: Bench) -> Value:
    groups = 1 << 16
    x = b.op("TILE", [b.x, b.ints(1, 1, 1, groups // 4)], (1, 6, 5, groups), kind="TileOptions")
    weights = np.ones((groups, 1, 1, 1), np.int8)
    return b.builder.conv(x, weights, None, weight_scales=[0.1], scale=0.1, zero_point=0)


def mirrored(b: Bench) -> Value:
    x = b.builder.reshape(b.x, (2, 2, 2, 3, 5, 1, 1, 1))
    for _ in range(6):
        shape = [3 * n for n in x.shape]
        x = b.op("MIRROR_PAD", [x, b.ints([[n, n] for n in x.shape])], shape, kind="MirrorPadOptions", mode=1)
    return x


def resized(b: Bench) -> Value:
    x = b.builder.reshape(b.x, (1, 1, 60, 2))
    size = (1 << 23, 1)
    return b.op(
        "RESIZE_NEAREST_NEIGHBOR", [x, b.ints(*size)], (1, *size, 2), kind="ResizeNearestNeighborOptions"
    )


@pytest.mark.parametrize("make", [transposed, grouped, mirrored])
def test_small_files_that_ask_for_much_memory(make: Recipe) -> None:
    bench = Bench()
    y = make(bench)
    model = bench.builder.finish(bench.x, y)
    with at_most(500), pytest.raises(ExportError):
        read_tflite(model)


def test_a_resized_image_takes_the_memory_of_its_result() -> None:
    bench = Bench()
    model = bench.builder.finish(bench.x, resized(bench))
    with at_most(1000):
        read_tflite(model)


def test_wide_dilations_take_no_time(tmp_path: Path) -> None:
    network = Layers(np.random.default_rng(0))
    x = network.input((60, 60, 2))
    model = network.builder.finish(x, network.conv(x, 2, dilation=(65536, 65536)))
    start = time.process_time()
    to_c(model, tmp_path / "out")
    assert time.process_time() - start < 5
