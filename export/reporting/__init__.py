"""A page that shows an exploration and its exports to someone who was not there, as HTML and as Markdown."""

from export.reporting.sources import Baseline
from export.reporting.writing import report

__all__ = ["Baseline", "report"]
