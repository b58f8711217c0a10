"""Where elements lie in memory."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from export.ir.ops import Padding
from export.kernels.layout import Layout, flat, image_shape

SMALL = st.integers(0, 3)


@st.composite
def layouts(draw: st.DrawFn, most_lines: int = 0) -> Layout:
    """Layouts of pixels, whole groups of four channels where shuffled, and of planes if they may have lines."""
    channels = draw(st.integers(1, 9))
    element, shuffled = draw(st.sampled_from([("int8", False), ("int8", True), ("int16", False)]))
    lines = 0 if shuffled else draw(st.integers(0, most_lines))
    pixel = 1 if lines else -(-channels // 4) * 4 if shuffled else channels + draw(st.integers(0, 2))
    padding = Padding(draw(SMALL), draw(SMALL), draw(SMALL), draw(SMALL))
    size = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    return Layout(*size, channels, pixel, padding, element, shuffled, lines)


@given(layouts(most_lines=4))
def test_every_element_has_a_place_of_its_own(layout: Layout) -> None:
    border = layout.border
    offsets = [
        layout.offset(y, x, channel)
        for y in range(-border.top, layout.height + border.bottom)
        for x in range(-border.left, layout.width + border.right)
        for channel in range(layout.channels)
    ]
    assert len(set(offsets)) == len(offsets)
    assert min(offsets) == 0
    assert (max(offsets) + 1) * layout.element_bytes <= layout.size_bytes
    assert layout.size_bytes % 4 == 0
    assert layout.has_border == any((border.top, border.bottom, border.left, border.right))


@given(layouts(most_lines=4))
def test_contiguous_means_without_gaps(layout: Layout) -> None:
    elements = layout.height * layout.width * layout.channels
    whole = layout.channels % 4 == 0 or not layout.shuffled
    assert layout.contiguous == (layout.rows * layout.row == elements and whole)
    if layout.contiguous and not layout.shuffled:
        assert flat(layout).size_bytes == layout.size_bytes
        assert flat(layout).offset(0, 0, elements - 1) == layout.offset(
            layout.height - 1, layout.width - 1, layout.channels - 1
        )


def test_shuffled_channels_trade_the_middle_two_of_four() -> None:
    layout = Layout(1, 1, 8, 8, Padding(), "int8", shuffled=True)
    assert [layout.offset(0, 0, channel) for channel in range(8)] == [0, 2, 1, 3, 4, 6, 5, 7]


@pytest.mark.parametrize(
    ("shape", "image"),
    [
        ((1, 4, 5, 6), (4, 5, 6)),
        ((1, 7), (1, 1, 7)),
        ((1,), (1, 1, 1)),
        ((1, 3, 7), (1, 3, 7)),
        ((1, 2, 3, 4, 5), (1, 24, 5)),
    ],
)
def test_activations_of_any_rank_are_images(shape: tuple[int, ...], image: tuple[int, int, int]) -> None:
    assert image_shape(shape) == image
