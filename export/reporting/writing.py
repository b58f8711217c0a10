"""Puts a report together and writes it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from export.artifact.folder import replace_files
from export.errors import InputError
from export.reporting.choice import Chosen, choose, highlight
from export.reporting.format.document import Block, Document, Paragraph, Section
from export.reporting.format.html import write_html
from export.reporting.format.markdown import write_markdown
from export.reporting.format.scores import does, lost, named, score
from export.reporting.format.style import drawing, png
from export.reporting.format.text import count, interval, percent
from export.reporting.sections.advice import advice_section
from export.reporting.sections.front import front_section
from export.reporting.sections.layers import export_blocks, layers_section
from export.reporting.sections.memory import memory_section
from export.reporting.sections.network import network_summary
from export.reporting.sections.roofline import limit_section
from export.reporting.sections.settings import settings_section
from export.reporting.sections.significance import significance_section
from export.reporting.sources import Baseline, Exported, Exports, read_exports
from export.simulation import Measurement
from keras_approx.text import plural

if TYPE_CHECKING:
    from export.training_side import EvaluatedDesign, ParetoFront


def report(
    front: ParetoFront | str | os.PathLike[str] | None,
    out: str | os.PathLike[str],
    *,
    exports: Exports = (),
    measurements: Mapping[str, Measurement | str | os.PathLike[str]] | None = None,
    baselines: Sequence[Baseline] = (),
    title: str | None = None,
) -> Path:
    """Writes a report on an exploration, on exports, or on both, for readers who know neither.

    Args:
        front: What `keras_approx.explore` returned, or the file it was saved to; None for a report on exports alone.
        out: Folder to write `report.html`, which holds everything, `report.md` and its PNGs into; files of the same
            names are replaced.
        exports: Exported folders by name, or folders alone, the exact model first: they add cycles and flash by
            layer, memory over time, and the core's limit.
        measurements: Of exports, by the same names: what `simulate` returned, or the JSON file of it.
        baselines: Cycles of the exact model by other means.
        title: Of the page; "Exploration" or "Export" if None.

    Returns:
        The path of report.html.

    Raises:
        InputError: The front or a measurement cannot be read, or does not fit; there is neither front nor export.
        StoreError: The file is no front.
        ModelFormatError: A folder is no export.
        OutputPathError: The folder cannot be written.
        ToolError: matplotlib is not installed.
    """
    read = read_exports(exports, measurements or {})
    if front is None and not read:
        raise InputError("a report is on a front or on exports, got neither: give one of them")
    if front is None and baselines:
        raise InputError("baselines are drawn beside a front: give one, or leave the baselines out")
    loaded = _load(front) if isinstance(front, str | os.PathLike) else front
    with drawing():
        if loaded is None:
            document = compose_exports(read, title or "Export")
        else:
            document = compose(loaded, read, baselines, title or "Exploration")
    folder = Path(out)
    replace_files(
        folder,
        {
            **{f"{picture.name}.png": png(picture.figure) for picture in document.pictures},
            "report.md": write_markdown(document).encode(),
            "report.html": write_html(document).encode(),
        },
    )
    return folder / "report.html"


def compose(
    front: ParetoFront, exports: Sequence[Exported], baselines: Sequence[Baseline], title: str
) -> Document:
    """The report's content; within `drawing`."""
    chosen = choose(front)
    first = highlight(front, chosen)
    sections = [front_section(front, chosen, baselines), layers_section(front, chosen, exports)]
    if front.significance:
        sections.append(significance_section(front, first))
    if exports:
        sections += [advice_section(exports), memory_section(exports), limit_section(exports)]
    summary: list[Block] = [Paragraph(_found(front, first, baselines))]
    summary += [
        Paragraph(_tuned(front, one.record, baselines))
        for one in chosen
        if one.record.fine_tuned_score is not None
    ]
    if exports:
        summary += network_summary(exports)
    return Document(title, summary, [*sections, settings_section(front, exports)])


def compose_exports(exports: Sequence[Exported], title: str) -> Document:
    """The content of a report on exports alone; within `drawing`."""
    sections = [
        Section("Layer by layer", export_blocks(exports)),
        advice_section(exports),
        memory_section(exports),
        limit_section(exports),
        settings_section(None, exports),
    ]
    return Document(title, network_summary(exports), sections)


def _found(front: ParetoFront, first: Chosen, baselines: Sequence[Baseline]) -> str:
    """What the exploration found, in a few sentences."""
    exact, best, objective = front.exact, first.record, front.objectives[0]
    parts = [
        "A neural network is to be made faster by leaving out multiplications that matter little. "
        f"{plural(len(front.evaluated), 'design')}, each with another choice of what to leave out, were tried "
        "without any training. The exact model, which leaves nothing out, "
        f"{does(front, exact.score, 'validation')} and takes {count(exact.costs[objective])} {objective}."
    ]
    if best == exact:
        most = front.losses()[-1].text
        parts.append(f"No design that costs clearly less loses at most {most} of its {named(front)}.")
        return " ".join(parts)
    certain = f", with 95 % confidence {interval(best.right, best.images)}" if front.is_share else ""
    parts.append(
        f"Design {best.id} {lost(front, best)} on these {plural(exact.images, 'image')} "
        f"({score(front, best.score)}{certain}). It keeps {percent(best.kept, 0)} of the products that can "
        f"be skipped and takes {_times(front, best.costs[objective], baselines)}."
    )
    return " ".join(parts)


def _times(front: ParetoFront, cost: float, baselines: Sequence[Baseline]) -> str:
    """A cost, and how far below those of the exact model and the baselines it is."""
    objective = front.objectives[0]
    if not cost:
        return f"no {objective}"
    references = [("the exact model", front.exact.costs[objective])]
    references += [(one.name, one.cycles) for one in baselines if objective == "cycles"]
    times = ", ".join(f"{reference / cost:.2f} times fewer than {name}" for name, reference in references)
    return f"{count(cost)} {objective}: {times}"


def _tuned(front: ParetoFront, record: EvaluatedDesign, baselines: Sequence[Baseline]) -> str:
    """What fine-tuning made of a design."""
    objective = front.objectives[0]
    cost = (record.fine_tuned_costs or record.costs)[objective]
    assert record.fine_tuned_score is not None
    tested = f", and {does(front, record.test_score, 'test')}" if record.test_score is not None else ""
    found = f"{does(front, record.fine_tuned_score, 'validation')}{tested}"
    if record == front.exact:
        return f"The exact model, fine-tuned the same way, {found}."
    return f"Fine-tuned with what is left, design {record.id} {found}, and takes {_times(front, cost, baselines)}."


def _load(path: str | os.PathLike[str]) -> ParetoFront:
    from export.training_side import load_front  # noqa: PLC0415

    try:
        return load_front(Path(path))
    except OSError as error:
        raise InputError(
            f"cannot read the front {os.fspath(path)!r}: {error.strerror}; expected what keras_approx.save_front wrote"
        ) from error
