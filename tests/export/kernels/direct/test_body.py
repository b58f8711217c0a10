"""The straight-line part of a kernel: every product once, and no load that can be helped."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from export.kernels.direct.body import Operand, schedule_body
from export.kernels.language.steps import NEAR, Step, register_name, step


def products(channel: int, position: int, x: str, weight: str) -> list[Step]:
    return [step("MAC", f"a{2 * channel + position}", x, weight)]


def computed(steps: list[Step], words: list[int]) -> Counter[tuple[str, int, int]]:
    """(accumulator, input address, weight word) of every product, following loads and pointer moves."""
    held: dict[str, int] = {}
    moved, stream = 0, iter(words)
    found: Counter[tuple[str, int, int]] = Counter()
    for item in steps:
        if item.name == "X":
            assert 0 <= int(item.args[1]) <= NEAR
            held[str(item.args[0])] = moved + int(item.args[1])
        elif item.name.startswith("LOAD"):
            held.update((str(register), next(stream)) for register in item.args)
        elif item.name[:3] in ("ADD", "SUB"):
            moved += int(item.args[1]) * (1 if item.name[:3] == "ADD" else -1)
            if item.name.endswith("FAR"):
                held.pop(register_name("x0"), None)  # the constant passes through it
        else:
            accumulator, x, weight = map(str, item.args)
            found[accumulator, held[x], held[weight]] += 1
    assert next(stream, None) is None
    return found


@given(
    rows=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 40)), max_size=30, unique=True),
    tap=st.sampled_from([200, 3000, 9000]),
    second=st.one_of(st.none(), st.integers(1, 20).map(lambda words: 4 * words)),
    data=st.data(),
)
def test_every_product_is_computed_once(
    rows: list[tuple[int, int]], tap: int, second: int | None, data: st.DataObject
) -> None:
    offsets = [0] if second is None else [0, second]
    operands: list[Any] = []
    for row, pair in sorted(rows):
        for channel in sorted(data.draw(st.sets(st.integers(0, 3), min_size=1))):
            operands.append(Operand(row * tap + 4 * pair, row * tap, channel, len(operands) + 1))
    body = schedule_body(operands, offsets, products)
    assert body.words == [operand.word for operand in operands]
    assert computed(body.steps, body.words) == Counter(
        (register_name(f"a{2 * operand.channel + position}"), operand.address + offset, operand.word)
        for operand in operands
        for position, offset in enumerate(offsets)
    )


def test_channels_share_a_load_and_positions_share_inputs() -> None:
    operands = [Operand(4 * column, 0, channel, 1) for column in range(3) for channel in range(4)]
    body = schedule_body(operands, [0, 4], products)
    loads = [item for item in body.steps if item.name == "X"]
    assert [item.args[1] for item in loads] == [0, 4, 8, 12]  # three columns of two positions that overlap
