"""The arena: buffers that live at the same time never share a byte."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from export.frontend import read_tflite
from export.passes import run_passes
from export.schedule import Requirements, plan_network
from export.schedule.arena import ALIGNMENT, Lifetime, plan
from export.targets import resolve
from tests.export.models.networks import random_network

LIFETIMES = st.lists(
    st.builds(
        lambda size, first, length: Lifetime(size, first, first + length),
        st.integers(1, 2000),
        st.integers(0, 12),
        st.integers(0, 5),
    ),
    max_size=25,
)


@settings(max_examples=200)
@given(LIFETIMES)
def test_live_buffers_do_not_overlap(lifetimes: list[Lifetime]) -> None:
    offsets, total = plan(lifetimes)
    ends = [offset + lifetime.size for offset, lifetime in zip(offsets, lifetimes, strict=True)]
    assert total == max(ends, default=0)
    assert all(offset >= 0 and offset % ALIGNMENT == 0 for offset in offsets)
    for i, one in enumerate(lifetimes):
        for j in range(i):
            if one.overlaps(lifetimes[j]):
                assert ends[i] <= offsets[j] or ends[j] <= offsets[i]
    steps = {lifetime.first for lifetime in lifetimes}
    live = [sum(x.size for x in lifetimes if x.first <= step <= x.last) for step in steps]
    apart = sum(-(-lifetime.size // ALIGNMENT) * ALIGNMENT for lifetime in lifetimes)
    assert max(live, default=0) <= total <= apart


def test_buffers_of_different_times_share_bytes() -> None:
    chain = [Lifetime(size, step, step + 1) for step, size in enumerate((100, 60, 100, 60, 100))]
    assert plan(chain)[1] == 160


@pytest.mark.parametrize("activations", ["int16", "int8"])
@pytest.mark.parametrize("seed", range(15))
def test_no_stage_overwrites_what_is_still_read(seed: int, activations: str) -> None:
    graph = run_passes(read_tflite(random_network(seed)))
    schedule = plan_network(graph, Requirements(resolve("cortex-m33"), activations))
    owner: dict[int, int] = {}  # tensor last written to each byte of the arena
    sharers: dict[int, int] = {}  # tensors that are others under another shape
    for op in schedule.graph.ops:
        if type(op).__name__ == "Reshape":
            sharers[op.output] = op.inputs[0]

    def root(tensor: int) -> int:
        while tensor in sharers and tensor not in written:
            tensor = sharers[tensor]
        return tensor

    written = {stage.writes.tensor for stage in schedule.stages}
    for stage in schedule.stages:
        for read in stage.reads:
            if read.place == "arena":
                held = {owner[at] for at in range(read.offset, read.offset + read.layout.size_bytes)}
                assert held == {root(read.tensor)}
        target = stage.writes
        if target.place == "arena":
            span = range(target.offset, target.offset + target.layout.size_bytes)
            assert span.stop <= schedule.arena_bytes
            for read in stage.reads:
                if read.place == "arena":
                    assert not set(span) & set(range(read.offset, read.offset + read.layout.size_bytes))
            owner.update(dict.fromkeys(span, target.tensor))
