"""How pictures look: colors, type, size. The only file here that imports matplotlib."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from export.errors import ToolError

# Okabe and Ito's, which color-blind readers can tell apart, and four grays. Style sheets have the same names,
# with other values where the page is dark.
COLORS = {
    "ink": "#1C1C1E",
    "muted": "#6B6B70",
    "faint": "#D4D4D9",
    "pale": "#B0B0B8",
    "blue": "#0072B2",
    "orange": "#E69F00",
    "green": "#009E73",
    "vermillion": "#D55E00",
    "purple": "#CC79A7",
    "sky": "#56B4E9",
}
SERIES = tuple(COLORS[name] for name in ("blue", "orange", "green", "purple", "sky", "vermillion"))
WIDTH = 4.6  # inches: with type of 9 points it can be read on a phone

_SETTINGS: dict[str, Any] = {
    "font.family": ["DejaVu Sans"],
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.labelsize": 9,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": COLORS["muted"],
    "axes.labelcolor": COLORS["ink"],
    "axes.titlecolor": COLORS["ink"],
    "axes.titlelocation": "left",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": COLORS["faint"],
    "grid.linewidth": 0.6,
    "text.color": COLORS["ink"],
    "xtick.color": COLORS["muted"],
    "ytick.color": COLORS["muted"],
    "xtick.labelcolor": COLORS["ink"],
    "ytick.labelcolor": COLORS["ink"],
    "figure.constrained_layout.use": True,
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "keras_approx",  # the same figure gives the same file
    "text.parse_math": False,  # names of layers may hold dollar signs
    "text.usetex": False,
}


@contextmanager
def drawing() -> Iterator[None]:
    """Within it, figures are drawn and saved in this style.

    Raises:
        ToolError: matplotlib is not installed.
    """
    try:
        import matplotlib as mpl  # noqa: PLC0415 (an extra)
    except ImportError as error:
        raise ToolError(
            "a report needs matplotlib, which is not installed: pip install 'keras_approx[plots]'"
        ) from error
    settings: Any = {**mpl.rcParamsDefault} | _SETTINGS
    with mpl.rc_context(settings):
        yield


def new_figure(height: float, rows: int = 1, columns: int = 1, **options: Any) -> tuple[Any, Any]:
    """A figure of the page's width and its axes [rows, columns]; within `drawing`."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415 (no state to close, and no display)

    figure = Figure(figsize=(WIDTH, height))
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns, squeeze=False, **options)


def png(figure: Any) -> bytes:
    """The figure as a PNG on white, the same bytes each time."""
    buffer = io.BytesIO()
    with drawing():
        figure.savefig(buffer, format="png", dpi=160, facecolor="white", metadata={"Software": None})
    return buffer.getvalue()
