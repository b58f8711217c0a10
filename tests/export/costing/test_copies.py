"""Which kernels run from RAM."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from export.costing.candidate import Candidate, KernelWaits, Price
from export.costing.copies import choose_copies, cycles_with_copies
from export.costing.kernel_cost import KernelCost


def candidate(kernels: list[tuple[int, int]]) -> Candidate:
    """A candidate with kernels of so many bytes that wait so many cycles in flash."""
    found = tuple(KernelWaits(size, 1, (float(waits),), (0.0,)) for size, waits in kernels)
    total = float(sum(waits for _, waits in kernels))
    return Candidate("unpacked", Price(round(total), 0, (total,), found), KernelCost(0, 1, 1, 0), 0, None)


STAGES = st.lists(
    st.one_of(
        st.none(), st.lists(st.tuples(st.integers(4, 4000), st.integers(0, 9000)), max_size=5).map(candidate)
    ),
    max_size=6,
)


@given(STAGES, st.integers(0, 8000))
def test_copies_fit_their_bank_and_only_save(stages: list[Candidate | None], room: int) -> None:
    copies = choose_copies(stages, room)
    taken = [
        stage.price.kernels[number]
        for stage, copied in zip(stages, copies, strict=True)
        if stage is not None
        for number in copied
    ]
    assert len(copies) == len(stages)
    assert sum(kernel.size for kernel in taken) <= room
    assert all(kernel.gain > 0 for kernel in taken)
    before = sum(stage.price.cycles for stage in stages if stage is not None)
    assert cycles_with_copies(stages, copies) <= before
    if all(
        kernel.size <= room / 64 for stage in stages if stage is not None for kernel in stage.price.kernels
    ):
        everything = sum(stage.price.copied_cycles for stage in stages if stage is not None)
        assert cycles_with_copies(stages, copies) == everything


def test_most_cycles_for_a_byte_go_first() -> None:
    stages = [candidate([(1000, 2000), (100, 1500)]), None, candidate([(950, 1950)])]
    assert choose_copies(stages, 1060) == ({1}, set(), {0})
    assert choose_copies(stages, 100) == ({1}, set(), set())
    assert choose_copies(stages, 99) == (set(), set(), set())
