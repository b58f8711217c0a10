"""A page that shows an exploration and its exports to someone who was not there, as HTML and as Markdown."""

from export.report.sources import Baseline
from export.report.writing import report

__all__ = ["Baseline", "report"]
