"""From a schedule to C."""

from export.codegen.project import Project, emit_project

__all__ = ["Project", "emit_project"]
