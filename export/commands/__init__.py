"""The command line `keras-approx`: one file a subcommand, each thin over the Python API."""

from export.commands.program.main import main

__all__ = ["main"]
