"""The settings, data and versions behind the report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from export.reporting.format.document import Paragraph, Section, Table
from export.reporting.format.text import printable
from export.reporting.sources import Exported
from keras_approx import __version__
from keras_approx.text import plural

if TYPE_CHECKING:
    from export.training_side import ParetoFront

_MANY = 6  # values of a list: more are not listed


def settings_section(front: ParetoFront | None, exports: Sequence[Exported]) -> Section:
    """Everything that would have to be the same for the same result."""
    settings = {} if front is None else front.settings
    rows = [(printable(name), printable(value, 200)) for name, value in flat(settings)]
    for exported in exports:
        manifest = exported.manifest
        what = f"{manifest.core}, {manifest.board or 'no board'}, flags {' '.join(manifest.compiler_flags)}"
        rows.append((f"export {printable(exported.name, 24)}", what))
        if exported.measured is not None:
            rows.append((f"measurement {printable(exported.name, 24)}", _measurement(exported.measured)))
    rows.append(("report", f"keras_approx {__version__}"))
    return Section(
        "Settings and versions",
        [
            Paragraph(
                ("" if front is None else "What the exploration was started with, as its file has it. ")
                + "Cycles are priced by a timing "
                "model of the core with memories that never wait; nothing here was run on silicon."
            ),
            Table(("setting", "value"), rows, left=2),
        ],
    )


def flat(settings: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Nested settings as lines: dotted names, values as text."""
    for name, value in settings.items():
        if isinstance(value, Mapping) and value:
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", _shown(value)


def _shown(value: Any) -> str:
    if value is None or value in ({}, [], ()):
        return "none"
    if isinstance(value, (list, tuple)):
        shown = [_shown(one) for one in value]
        many = len(shown) > _MANY
        return f"{len(shown)} values, {shown[0]} to {shown[-1]}" if many else ", ".join(shown)
    if isinstance(value, float) and value.is_integer():
        return f"{value:,.0f}"
    return str(value)


def _measurement(measured: Mapping[str, Any]) -> str:
    board = f" ({measured['board']})" if measured.get("board") else ""
    return f"{measured.get('core')}{board}, mean of {plural(measured.get('inputs', 0), 'input')}, emulated"
