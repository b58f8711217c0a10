"""Copies and borders between any two layouts, run instruction by instruction."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from export.costing.counting.plans import count_plan
from export.ir.ops import Padding
from export.kernels.elementwise.plan import plan_border, plan_copy, plan_lookup
from export.kernels.layout import Layout
from tests.export.kernels.cpu import run_plan
from tests.export.kernels.test_layout import layouts
from tests.export.timings import timing_of

DTYPES = {"int8": np.int8, "int16": np.int16}


def image(layout: Layout, seed: int = 0) -> np.ndarray:
    """Random int8 values [height, width, channels]."""
    shape = (layout.height, layout.width, layout.channels)
    return np.random.default_rng(seed).integers(-128, 128, shape)


def stored(layout: Layout, values: np.ndarray, fill: int) -> bytearray:
    """A buffer that holds an image, and a value everywhere else."""
    elements = np.full(layout.size_bytes // layout.element_bytes, fill, DTYPES[layout.element])
    for y, x, channel in np.ndindex(*values.shape):
        elements[layout.offset(y, x, channel)] = values[y, x, channel]
    return bytearray(elements.tobytes())


@given(layouts(), layouts())
def test_a_copy_writes_the_image_and_nothing_else(source: Layout, other: Layout) -> None:
    pixel = -(-source.channels // 4) * 4 if other.shuffled else source.channels + other.pixel - other.channels
    target = replace(other, height=source.height, width=source.width, channels=source.channels, pixel=pixel)
    output = bytearray(b"\x55" * target.size_bytes)
    run_plan(plan_copy(source, target), [stored(source, image(source), 99)], output)
    fill = 0x55 if target.element == "int8" else 0x5555
    assert output == stored(target, image(source), fill)


@given(layouts(), st.integers(0, 2), st.integers(0, 2), st.integers(0, 2))
def test_a_copy_goes_to_its_place(source: Layout, y: int, x: int, channel: int) -> None:
    height, width, channels = source.height + y, source.width + x, source.channels + channel
    target = Layout(height, width, channels, channels, Padding(), "int8")
    output = bytearray(target.size_bytes)
    run_plan(plan_copy(source, target, (y, x, channel)), [stored(source, image(source), 99)], output)
    expected = np.zeros((height, width, channels), np.int64)
    expected[y:, x:, channel:] = image(source)
    assert output == stored(target, expected, 0)


@given(layouts(), st.integers(-128, 127))
def test_the_border_is_filled_and_the_image_left(layout: Layout, zero_point: int) -> None:
    layout = replace(layout, channels=layout.pixel)  # no gaps, so that all which is not image is border
    plan = plan_border(layout, zero_point)
    assert (plan is None) == (not layout.has_border)
    if plan is None:
        return
    output = stored(layout, image(layout), 77)
    run_plan(plan, [], output)
    used = layout.rows * layout.row * layout.element_bytes  # beyond: padding to a word
    assert output[:used] == stored(layout, image(layout), zero_point)[:used]
    assert output[used:] == stored(layout, image(layout), 77)[used:]


@given(layouts(), st.integers(0, 99))
def test_a_lookup_maps_every_element(source: Layout, seed: int) -> None:
    table = np.random.default_rng(seed).integers(-128, 128, 256)
    target = replace(source, border=Padding(), pixel=source.channels, element="int8", shuffled=False)
    output = bytearray(target.size_bytes)
    run_plan(plan_lookup(source, target, table.tolist()), [stored(source, image(source), 99)], output)
    assert output == stored(target, table[image(source) + 128], 0)


def test_the_channels_of_several_pixels_are_copied_in_a_turn() -> None:
    source = Layout(30, 30, 3, 3, Padding(), "int8")
    target = replace(source, pixel=4, border=Padding(1, 1, 1, 1), element="int16")
    timing = timing_of("cortex-m33")
    assert timing is not None
    cycles = count_plan(plan_copy(source, target), timing).cost.kernel_cycles
    assert cycles is not None
    assert cycles < 3 * 30 * 30 * 3
