"""From a schedule to C."""

from .project import LayerRecord, Project, emit_project

__all__ = ["LayerRecord", "Project", "emit_project"]
