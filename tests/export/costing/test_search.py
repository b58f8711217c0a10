"""Ways are followed in the order of their bounds, as far as they may matter."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from export.costing.candidate import Candidate, Price, Wanted
from export.costing.kernel_cost import KernelCost
from export.costing.search import Way, search


def candidate(cycles: int, flash: int = 0) -> Candidate:
    return Candidate(f"{cycles}", Price(cycles, flash), KernelCost(cycles, 1, 1, flash), 0, None)


class Followed:
    """Ways that remember the order in which they were followed."""

    def __init__(self) -> None:
        self.bounds: list[float] = []

    def way(self, least: float, *found: Way | Candidate) -> Way:
        def look() -> Iterator[Way | Candidate]:
            self.bounds.append(least)
            yield from found

        return Way(least, look)


def test_a_way_that_cannot_be_faster_is_not_followed() -> None:
    followed = Followed()
    ways = [followed.way(90, candidate(95)), followed.way(50, candidate(80)), followed.way(70, candidate(75))]
    found = search(ways, Wanted.FASTEST)
    assert [one.price.cycles for one in found] == [75, 80]
    assert followed.bounds == [50, 70]


def test_all_ways_are_followed_for_less_flash() -> None:
    followed = Followed()
    found = search(
        [followed.way(1, candidate(1)), followed.way(9, candidate(9)), followed.way(5)], Wanted.LESS_FLASH
    )
    assert [one.price.cycles for one in found] == [1, 9]
    assert followed.bounds == [1, 5, 9]


def test_what_is_found_behind_a_way_takes_its_turn() -> None:
    followed = Followed()
    inner = followed.way(40, candidate(45))
    found = search([followed.way(10, inner), followed.way(30, candidate(60))], Wanted.FASTEST)
    assert followed.bounds == [10, 30, 40]
    assert [one.price.cycles for one in found] == [45, 60]


def test_a_way_is_followed_as_far_as_scratch_memory_is_worth_cycles() -> None:
    followed = Followed()
    ways = [followed.way(1004, candidate(1004)), followed.way(1006, candidate(1006))]
    found = search([followed.way(0, candidate(1000)), *ways], Wanted.FASTEST)
    assert [one.price.cycles for one in found] == [1000, 1004]


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50), st.integers(0, 9)), min_size=1, max_size=8))
def test_the_fastest_is_always_found(ways: list[tuple[int, int, int]]) -> None:
    followed = Followed()
    every = [(least, candidate(least + more, flash)) for least, more, flash in ways]
    found = search([followed.way(least, one) for least, one in every], Wanted.FASTEST)
    assert found[0].price.cycles == min(one.price.cycles for _, one in every)
