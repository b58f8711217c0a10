"""A front as tables: all of it for spreadsheets, the best of it for notebooks."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING

from keras_approx.exploration.quality import shown
from keras_approx.notebooks import html_table
from keras_approx.storage.files import replacing
from keras_approx.text import plural

if TYPE_CHECKING:
    from keras_approx.exploration.front.pareto_front import ParetoFront


_FIRST = ("id", "front")  # columns


def is_front_csv(path: str | Path) -> bool:
    """Whether a file begins as `write_front_csv` begins one.

    Raises:
        OSError: If it cannot be read.
    """
    start = f"{','.join(_FIRST)},".encode()
    with open(path, "rb") as file:
        return file.read(len(start)) == start


def write_front_csv(front: ParetoFront, path: str | Path) -> None:
    """Writes a table of all evaluated designs, one a line, those of the front first: the whole table, or none of it.

    Args:
        front: The front.
        path: Of the .csv file; one that is there is replaced.

    Raises:
        OSError: If it cannot be written.
    """
    first = front.designs
    on_front = {record.id for record in first}
    records = [*first, *(record for record in front.evaluated if record.id not in on_front)]
    layers = list(front.exact.kept_by_layer)
    measured = ("score", "images", "dropped_early", "kept", "distortion", "fine_tuned_score", "test_score")
    columns = [*_FIRST, *(name.replace("score", front.metric) for name in measured)]
    columns += [*front.exact.costs, "select", "granularity"]
    columns += [f"{what}:{name}" for what in ("value", "kept") for name in layers]
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(columns)
    for record in records:
        design = record.design
        writer.writerow(
            [
                *(record.id, record.id in on_front, *(getattr(record, name) for name in measured)),
                *(record.costs[name] for name in front.exact.costs),
                *(design.select, design.granularity, *(design.value(name) for name in layers)),
                *(record.kept_by_layer[name] for name in layers),
            ]
        )
    with replacing(path) as file:
        file.write(table.getvalue().encode())


def to_html(front: ParetoFront) -> str:
    """The exact design and the cheapest at some losses, for notebooks."""
    exact = front.exact
    chosen = {exact.id: ("exact", exact)}
    for loss in front.losses():
        record = front.best(max_drop=loss.drop)
        chosen.setdefault(record.id, (f"at most {loss.text} lost" if loss.drop else "nothing lost", record))
    rows = [
        (
            *(why, record.id, shown(front.metric, record.score), f"{record.kept:.1%}"),
            *(f"{record.costs[name]:,.0f}" for name in exact.costs),
            "" if record.fine_tuned_score is None else shown(front.metric, record.fine_tuned_score),
        )
        for why, record in chosen.values()
    ]
    head = ("design", "id", "validation", "kept", *exact.costs, "fine-tuned")
    note = (
        f"{plural(len(front.evaluated), 'design')} on {plural(exact.images, 'image')}, "
        f"{len(front.designs):,} on the front; kept: of the products that can be skipped"
    )
    return html_table(head, rows, left=2, note=note)
