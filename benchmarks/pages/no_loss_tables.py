"""Exact and skipping models trained from several seeds: their means, and those that lose nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import fmean

from benchmarks.pages.tables import Records, gain, table
from benchmarks.shared.options import REFERENCE

LEAST_SEEDS = 3
MOST_LOST = 0.05
"""Points that the mean of a design may lose where it counts as no loss."""


@dataclass(frozen=True)
class Pair:
    """An exact and a skipping model trained alike, or the means of several.

    Attributes:
        network: Its name.
        epochs: Of each training.
        seeds: Of the trainings.
        accuracies: Of the exact and the skipping models on test images, as shares.
        cycles: Likewise, on the M33.
    """

    network: str
    epochs: int
    seeds: tuple[int, ...]
    accuracies: tuple[float, float]
    cycles: tuple[float, float]

    @property
    def points(self) -> float:
        """What skipping gains."""
        return 100 * (self.accuracies[1] - self.accuracies[0])


def no_loss(records: Records) -> str:
    """Each seed and the means, from what `benchmarks.training.no_loss` saved."""
    rows = []
    for pairs in _trainings(records):
        rows += [_row(pair, str(pair.seeds[0])) for pair in pairs]
        if len(pairs) > 1:
            rows.append(_row(_mean(pairs), "mean"))
    figures = ("exact int8", "with skipping", "points", "exact M33 cycles", "with skipping", "CMSIS-NN / M33")
    return table(("network", "epochs", "seed", *figures), rows, left=3)


def proven(records: Records) -> Mapping[str, Pair]:
    """By network, the fastest means of enough seeds that lose nothing."""
    found: dict[str, Pair] = {}
    for mean in means(records).values():
        enough = len(mean.seeds) >= LEAST_SEEDS and mean.points >= -MOST_LOST
        if enough and (mean.network not in found or mean.cycles[1] < found[mean.network].cycles[1]):
            found[mean.network] = mean
    return found


def means(records: Records) -> Mapping[tuple[str, int], Pair]:
    """By network and epochs, the means of all seeds."""
    return {(pairs[0].network, pairs[0].epochs): _mean(pairs) for pairs in _trainings(records)}


def proven_exact(found: Mapping[str, Pair]) -> str:
    """The mean test accuracies of the exact models that `proven` ones are compared with."""
    return ", ".join(f"{100 * pair.accuracies[0]:.2f} % for {name}" for name, pair in found.items())


def _trainings(records: Records) -> Iterator[list[Pair]]:
    """The seeds of each network and number of epochs of which there are both models."""
    trainings = {(record["settings"]["network"], record["settings"]["epochs"]) for record in records}
    for network, epochs in sorted(trainings, key=lambda one: (REFERENCE.index(one[0]), one[1])):
        exact, skipping = (
            {
                record["settings"]["seed"]: (record["test_accuracy"], record["cycles"])
                for record in records
                if (record["settings"]["network"], record["settings"]["epochs"]) == (network, epochs)
                and ("design" in record["settings"]["options"]) == skips
            }
            for skips in (False, True)
        )
        pairs = []
        for seed in sorted(exact.keys() & skipping.keys()):
            (right, cycles), (right_skipping, cycles_skipping) = exact[seed], skipping[seed]
            accuracies = (right, right_skipping)
            pairs.append(Pair(network, epochs, (seed,), accuracies, (cycles, cycles_skipping)))
        if pairs:
            yield pairs


def _mean(pairs: list[Pair]) -> Pair:
    return Pair(
        pairs[0].network,
        pairs[0].epochs,
        tuple(seed for pair in pairs for seed in pair.seeds),
        (fmean(pair.accuracies[0] for pair in pairs), fmean(pair.accuracies[1] for pair in pairs)),
        (fmean(pair.cycles[0] for pair in pairs), fmean(pair.cycles[1] for pair in pairs)),
    )


def _row(pair: Pair, seed: str) -> tuple[str, ...]:
    return (
        *(pair.network, str(pair.epochs), seed),
        *(f"{100 * accuracy:.2f} %" for accuracy in pair.accuracies),
        f"{pair.points:+.2f}",
        *(f"{cycles:,.0f}" for cycles in pair.cycles),
        f"{gain(pair.network, round(pair.cycles[1])):.2f}",
    )
