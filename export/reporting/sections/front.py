"""The front: accuracy, or another metric, against cost."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from export.proportions import wilson_interval
from export.reporting.choice import Chosen
from export.reporting.format.document import Paragraph, Picture, Section, Table
from export.reporting.format.scores import amount, axis_label, axis_scale, change, named, score
from export.reporting.format.style import COLORS, new_figure
from export.reporting.format.text import count, interval, percent, printable, size
from export.reporting.sources import Baseline
from export.training_side import ELIMINATION
from keras_approx.text import plural

if TYPE_CHECKING:
    from export.training_side import EvaluatedDesign, ParetoFront

_SHOWN = 4  # times the largest loss that designs are chosen by: worse ones are not drawn
_NAMES = {"ram": "RAM"}
_FLATTERY = 0.03  # of accuracy: what chance may add before the reader is warned
_LOGARITHMIC = 4  # the axis, if its ends are further apart


def front_section(front: ParetoFront, chosen: Sequence[Chosen], baselines: Sequence[Baseline]) -> Section:
    """The picture, what it means, and a table of the designs chosen from it."""
    refitted = " and refitting what is left" if front.settings.get("significance") == ELIMINATION else ""
    return Section(
        f"{named(front).capitalize()} against cost",
        [
            Paragraph(
                "Each dot is one design: for every layer, how much of its multiplications is kept. "
                f"{plural(len(front.evaluated), 'design')} were evaluated by masking the quantized model{refitted}, "
                "without any training. A design is on the front if no other is at least as accurate and costs "
                f"less; {plural(len(front.designs), 'design')} are."
            ),
            Picture("front", draw_front(front, baselines), _shows(front), _caption(front, baselines)),
            Paragraph(_meaning(front)),
            *_warning(front),
            _table(front, chosen, baselines),
        ],
    )


def _meaning(front: ParetoFront) -> str:
    """What scores on the validation images say of others."""
    metric, images = named(front), front.exact.images
    certain = ""
    if front.is_share:
        low, high = wilson_interval(front.exact.right, images)
        certain = (
            f"The exact model's {metric} on all images there could be is between {percent(low)} and {percent(high)} "
            "with 95 % confidence. "
        )
    return (
        f"What the picture shows of {metric} is on {plural(images, 'validation image')}, with which nothing was "
        "calibrated or fine-tuned here; a network that had been trained on them before does better on them than on "
        f"others. {certain}The search looked at these images many times and took the best of many designs, so it "
        "flatters them a little. Test images, where the table has them, were looked at once, for designs that had been "
        "chosen already: that is the figure to quote."
    )


def _warning(front: ParetoFront) -> list[Paragraph]:
    """Says so where few images ranked many designs: the best of them is then in part the luckiest."""
    if not front.is_share:
        return []
    flattery = ranking_flattery(front.exact.right, front.exact.images, len(front.evaluated))
    if flattery < _FLATTERY:
        return []
    return [
        Paragraph(
            f"Warning: {plural(len(front.evaluated), 'design')} were ranked by {plural(front.exact.images, 'image')}. "
            f"The best of so many can look up to {100 * flattery:.0f} points better than it is, by chance alone: one "
            f"image is {100 / front.exact.images:.2g} points. Explore with more validation images, and compare the "
            "chosen designs on test images that nothing has looked at."
        )
    ]


def ranking_flattery(right: int, images: int, designs: int) -> float:
    """How far the best of some designs can lie above its true accuracy by chance, as a share.

    The expected maximum of n normal variables is below sqrt(2 ln n) of their standard deviation, that of a share of so
    many images. Designs that err on the same images make it less: this is the most.

    Args:
        right: Images that the exact model classifies right.
        images: Validation images.
        designs: That were compared.
    """
    low, high = wilson_interval(right, images)
    share = low if low > 0.5 else min(high, 0.5)  # where few images can tell, the share that varies most
    return math.sqrt(share * (1 - share) / images) * math.sqrt(2 * math.log(max(2, designs)))


def draw_front(front: ParetoFront, baselines: Sequence[Baseline]) -> Any:
    """All designs, the front as a staircase, what fine-tuning gave back, the exact model and the baselines."""
    objective = front.objectives[0]
    scale = axis_scale(front)
    figure, ((axis,),) = new_figure(3.7)

    def place(records: Sequence[EvaluatedDesign]) -> tuple[list[float], list[float]]:
        return [record.costs[objective] / 1e6 for record in records], [
            scale * record.score for record in records
        ]

    whole = [record for record in front.evaluated if not record.dropped_early]
    axis.scatter(
        *place(whole),
        s=7,
        color=COLORS["pale"],
        linewidths=0,
        label="evaluated",
        zorder=1,
        rasterized=len(whole) > 2000,
    )
    axis.plot(
        *place(front.designs),
        color=COLORS["blue"],
        drawstyle="steps-post",
        linewidth=1.5,
        marker="o",
        markersize=3.5,
        label="front",
    )
    _draw_fine_tuned(axis, front, objective)
    exact = front.exact.costs[objective] / 1e6, scale * front.exact.score
    axis.axhline(exact[1], color=COLORS["ink"], linewidth=0.8, linestyle=(0, (4, 3)), zorder=2)
    axis.plot(
        *exact, color=COLORS["ink"], marker="D", markersize=6, linestyle="none", label="exact", zorder=4
    )
    _limit_scores(axis, front, whole)
    compared = baselines if objective == "cycles" else ()
    _draw_baselines(axis, compared)
    shown = [record.costs[objective] for record in whole if _is_drawn(front, record)]
    drawn = [baseline.cycles for baseline in compared]
    _scale(axis, min(shown) / 1e6, max(*shown, *drawn, front.exact.costs[objective]) / 1e6)
    axis.set_xlabel(f"{'million ' + objective} for one inference")
    axis.set_ylabel(axis_label(front))
    figure.legend(loc="outside upper left", ncols=4, handletextpad=0.5, columnspacing=1.4)
    return figure


def _draw_baselines(axis: Any, baselines: Sequence[Baseline]) -> None:
    """A dotted line with its name at the cycles of each baseline."""
    for number, baseline in enumerate(baselines):
        cycles, color = baseline.cycles / 1e6, COLORS["vermillion"]
        axis.axvline(cycles, color=color, linewidth=1.2, linestyle=":", zorder=2)
        axis.annotate(
            printable(baseline.name, 24),
            (cycles, 0.04 + 0.09 * number),
            xycoords=("data", "axes fraction"),
            xytext=(-4, 0),
            textcoords="offset points",
            ha="right",
            color=color,
        )


def _draw_fine_tuned(axis: Any, front: ParetoFront, objective: str) -> None:
    """From where masking left a design to where fine-tuning brought it."""
    label: str | None = "fine-tuned"
    for record in front.evaluated:
        if record.fine_tuned_score is None:
            continue
        before = record.costs[objective] / 1e6, axis_scale(front) * record.score
        costs = record.fine_tuned_costs or record.costs
        after = costs[objective] / 1e6, axis_scale(front) * record.fine_tuned_score
        axis.annotate(
            "",
            after,
            before,
            arrowprops={
                "arrowstyle": "-",
                "color": COLORS["orange"],
                "linewidth": 1,
                "shrinkA": 0,
                "shrinkB": 0,
            },
        )
        axis.plot(
            *after, color=COLORS["orange"], marker="^", markersize=7, linestyle="none", label=label, zorder=5
        )
        label = None


def _scale(axis: Any, low: float, high: float) -> None:
    """An axis of plain numbers from the lowest to the highest cost, logarithmic if they are far apart."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter  # noqa: PLC0415

    margin = 0.04 * (high - low) or 0.1 * high or 1.0
    axis.set_xlim(low - margin, high + margin)
    if low > 0 and high / low > _LOGARITHMIC:
        axis.set_xscale("log")
        axis.set_xlim(low / (high / low) ** 0.05, high * (high / low) ** 0.05)
        axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 4, 6, 8) if high / low < 15 else (1, 2, 5)))
        axis.xaxis.set_minor_formatter(NullFormatter())
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _is_drawn(front: ParetoFront, record: EvaluatedDesign) -> bool:
    """Whether a design loses so little that it is worth its place in the picture."""
    most = _SHOWN * front.losses()[-1].drop
    return not most or record.badness <= front.exact.badness + most


def _limit_scores(axis: Any, front: ParetoFront, whole: Sequence[EvaluatedDesign]) -> None:
    """Shows the scores from the best to the worst that is drawn, with some room at both ends."""
    scores = [record.score for record in whole if _is_drawn(front, record)]
    scores += [record.fine_tuned_score for record in whole if record.fine_tuned_score is not None]
    low, high = min(scores), max(scores)
    margin = 0.06 * (high - low) or 0.01 * (abs(high) or 1)
    scale = axis_scale(front)
    axis.set_ylim(scale * (low - margin), scale * (high + 2 * margin))


def _shows(front: ParetoFront) -> str:
    first, last = front.designs[0], front.designs[-1]
    objective = front.objectives[0]
    return (
        f"Scatter plot. The front goes from {score(front, first.score)} at {count(first.costs[objective])} "
        f"{objective} to {score(front, last.score)} at {count(last.costs[objective])} {objective}."
    )


def _caption(front: ParetoFront, baselines: Sequence[Baseline]) -> str:
    objective = front.objectives[0]
    hidden = sum(not record.dropped_early and not _is_drawn(front, record) for record in front.evaluated)
    dropped = sum(record.dropped_early for record in front.evaluated)
    parts = [
        f"Across: predicted {objective} of one inference, in millions; further left is faster. Up: {named(front)} "
        f"on validation images{'' if front.exact.higher_is_better else ', less is better'}; the dashed line is that of "
        "the exact model, which is quantized the same way and skips nothing. Look for where the blue "
        "staircase leaves the dashed line: up to there, skipping is free."
    ]
    if any(record.fine_tuned_score is not None for record in front.evaluated):
        parts.append(
            "Triangles: designs after fine-tuning; a line leads to each from where masking alone had left it."
        )
    if baselines and objective == "cycles":
        parts.append("Dotted: the same network, nothing skipped, by other means.")
    if hidden or dropped:
        parts.append(
            f"Not drawn: {hidden:,} that lose more than {amount(front, _SHOWN * front.losses()[-1].drop)} and "
            f"{dropped:,} that were given up after a part of the images."
        )
    return " ".join(parts)


def _table(front: ParetoFront, chosen: Sequence[Chosen], baselines: Sequence[Baseline]) -> Table:
    exact, first = front.exact, front.objectives[0]
    others = baselines if first == "cycles" else ()
    columns: list[tuple[str, Callable[[EvaluatedDesign], str]]] = [("id", lambda record: record.id)]
    columns += [(_NAMES.get(name, name), partial(_cost, name)) for name in exact.costs]
    references = [("exact", exact.costs[first]), *((printable(one.name, 24), one.cycles) for one in others)]
    columns += [(f"faster than {name}", partial(_times, first, cost)) for name, cost in references]
    columns += [
        ("kept", lambda record: percent(record.kept)),
        ("validation", lambda record: score(front, record.score)),
        ("95 % interval", lambda record: interval(record.right, record.images) if front.is_share else ""),
        ("change", lambda record: change(front, record)),
        ("fine-tuned", lambda record: score(front, record.fine_tuned_score)),
        ("test", lambda record: score(front, record.test_score)),
    ]
    shown = [(name, [cell(one.record) for one in chosen]) for name, cell in columns]
    shown = [(name, cells) for name, cells in shown if any(cells)]
    head = ("design", *(name for name, _ in shown))
    rows = [(one.label, *(cells[number] for _, cells in shown)) for number, one in enumerate(chosen)]
    return Table(head, rows, left=2, caption="kept: of the products that can be skipped")


def _times(objective: str, reference: float, record: EvaluatedDesign) -> str:
    cost = record.costs[objective]
    return f"{reference / cost:.2f}x" if cost else ""


def _cost(name: str, record: EvaluatedDesign) -> str:
    value = record.costs[name]
    return size(value) if name in ("flash", "ram") else count(value)
