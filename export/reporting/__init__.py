"""The report: a page about an exploration and its exports, as HTML and as Markdown."""

from export.reporting.sources import Baseline
from export.reporting.writing import report

__all__ = ["Baseline", "report"]
