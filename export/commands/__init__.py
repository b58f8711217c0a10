"""The command line `keras-approx`: one file for each subcommand, a thin layer over the Python API."""

from export.commands.program.main import main

__all__ = ["main"]
