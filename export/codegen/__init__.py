"""From a schedule to C."""

from .project import Project, emit_project

__all__ = ["Project", "emit_project"]
