"""Windows cut at the edges, in regions that are cut alike."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from export.kernels.pooling import axis_regions


@given(
    size=st.integers(1, 30),
    kernel=st.integers(1, 7),
    stride=st.integers(1, 4),
    data=st.data(),
)
def test_regions_give_every_window(size: int, kernel: int, stride: int, data: st.DataObject) -> None:
    padding = data.draw(st.integers(0, kernel - 1))
    outputs = data.draw(st.integers(1, max(1, (size + padding - 1) // stride + 1)))
    windows = []
    for output in range(outputs):
        begin = output * stride - padding
        windows.append((max(begin, 0), min(begin + kernel, size)))
    regions = axis_regions(outputs, size, kernel, stride, padding)
    found = [
        (region.start + i * region.stride, region.start + i * region.stride + region.window)
        for region in regions
        for i in range(region.count)
    ]
    assert found == windows
    assert [region.first for region in regions] == [
        sum(region.count for region in regions[:i]) for i in range(len(regions))
    ]


def test_what_is_cut_alike_is_one_region() -> None:
    assert len(axis_regions(8, 16, 2, 2, 0)) == 1
    assert [region.count for region in axis_regions(16, 16, 3, 1, 1)] == [1, 14, 1]
