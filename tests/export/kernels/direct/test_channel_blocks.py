"""Channels grouped into blocks: each in one, and those that read the same together."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from export.kernels.direct.channel_blocks import consecutive_blocks, shared_blocks


@given(st.integers(1, 30), st.integers(1, 8))
def test_consecutive_blocks_are_full_but_the_last(channels: int, size: int) -> None:
    blocks = consecutive_blocks(channels, size)
    assert [channel for block in blocks for channel in block] == list(range(channels))
    assert {len(block) for block in blocks[:-1]} <= {size}
    assert 1 <= len(blocks[-1]) <= size


@given(st.integers(1, 20), st.integers(1, 12), st.integers(1, 8), st.integers(0, 99))
def test_shared_blocks_hold_every_channel_once(channels: int, pairs: int, size: int, seed: int) -> None:
    kept = np.random.default_rng(seed).random((channels, pairs)) < 0.4
    blocks = shared_blocks(kept, size)
    assert sorted(channel for block in blocks for channel in block) == list(range(channels))
    assert all(block == tuple(sorted(block)) for block in blocks)
    assert blocks == sorted(blocks)
    assert sorted(map(len, blocks)) == sorted(map(len, consecutive_blocks(channels, size)))


@given(st.integers(1, 12), st.integers(1, 12), st.integers(1, 4), st.integers(0, 99))
def test_each_channel_taken_adds_fewest_loads(channels: int, pairs: int, size: int, seed: int) -> None:
    kept = np.random.default_rng(seed).random((channels, pairs)) < 0.4
    left, expected = list(range(channels)), []
    while left:
        left.sort(key=lambda channel: (-int(kept[channel].sum()), channel))
        block = [left.pop(0)]
        while left and len(block) < size:
            loaded = kept[block].any(axis=0)
            added = [int((kept[channel] & ~loaded).sum()) for channel in left]
            block.append(left.pop(added.index(min(added))))
        expected.append(tuple(sorted(block)))
    assert shared_blocks(kept, size) == sorted(expected)


def test_channels_that_read_the_same_share_a_block() -> None:
    one, other = [1, 1, 0, 0], [0, 0, 1, 1]
    kept = np.array([one, other, one, other, one, other], bool)
    assert shared_blocks(kept, 3) == [(0, 2, 4), (1, 3, 5)]
