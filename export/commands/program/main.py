"""The program `keras-approx`, also run by `python -m export`: its parser, its exit status, where its output goes."""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from importlib import import_module
from pathlib import Path
from typing import Any

from export.commands.program.console import HelpFormatter, Interrupted, Result, told_warnings
from export.commands.program.files import check_distinct, check_result_file, write_new_file
from export.errors import ExportError
from keras_approx import __version__
from keras_approx.errors import KerasApproxError
from keras_approx.text import printable

OK, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130  # argparse exits with USAGE by itself
CLOSED = 141  # what shells give for a program that SIGPIPE ended

# Name, module and what it does. A module is imported when its command is given: help and mistyped names need none.
_COMMANDS = {
    "wrap": ("wrap", "give a model masks and int8 quantization"),
    "eliminate": ("eliminate", "skip the products that others can make up for, without training"),
    "explore": ("explore", "find the Pareto front of cycles against accuracy"),
    "fine-tune": ("fine_tune", "train a model while most of its products are skipped"),
    "export": ("to_c", "write a model as C for an STM32 project"),
    "simulate": ("simulate", "run an export on an emulated core and count cycles"),
    "evaluate": ("evaluate", "count the right answers of an export over a whole data set"),
    "report": ("report", "write a page with pictures about a front and its exports"),
    "boards": ("boards", "list the boards that are known"),
    "firmware": ("firmware", "write firmware that measures an export on a board"),
    "compare": ("compare", "compare what a board measured with what was predicted"),
    "doctor": ("doctor", "say what is installed, what is missing, and what it is for"),
}
_DESCRIPTION = """\
Makes int8 CNNs run faster on Cortex-M: skips the products that matter least,
fine-tunes the rest, and exports it as C.
"""
_EPILOG = f"""\
from a model to C:
  keras-approx wrap model.keras --data train.npz --out wrapped.keras
  keras-approx explore wrapped.keras --data train.npz --out front.json
  keras-approx fine-tune wrapped.keras --data train.npz --front front.json --max-drop 0 --out tuned.keras
  keras-approx export tuned.keras --out out/
  keras-approx simulate out/ --inputs test.npz --images 20
  keras-approx report front.json --export out/ --out report/

Each command has examples: keras-approx COMMAND --help. Results go to standard output, progress to standard error.

exit status:
  {OK}    done
  {FAILED}    something is wrong with what was given; one line on standard error says what was expected, what was found
       and what to do. With a traceback instead: a bug
  {USAGE}    the command line itself is wrong
  {INTERRUPTED}  stopped by Ctrl-C; fine-tune and explore continue when the same command is given again
  {CLOSED}  the program that read the output has ended, as head does
"""


def parser(chosen: str | None = None) -> argparse.ArgumentParser:
    """The parser of all commands; each sets `run`, which takes the options and returns a Result.

    Args:
        chosen: The one command whose options are needed: no other module is imported. "" for none, None for all.
    """
    program = argparse.ArgumentParser(
        prog="keras-approx",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=HelpFormatter,
        allow_abbrev=False,
    )
    program.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    program.add_argument(
        "--print-completion",
        action=_PrintCompletion,
        choices=("bash", "zsh", "tcsh"),
        help="print a script that completes commands and options in this shell",
    )
    commands = program.add_subparsers(required=True, metavar="COMMAND", dest="command")
    for name, (module, summary) in _COMMANDS.items():
        if chosen in (None, name):
            import_module(f"export.commands.{module}").add_parser(commands, help=summary)
        else:
            commands.add_parser(name, help=summary)
    return program


class _PrintCompletion(argparse.Action):
    """Prints the completion script of all commands and ends."""

    def __call__(
        self, program: argparse.ArgumentParser, namespace: Any, shell: Any, option: Any = None
    ) -> None:
        import shtab  # noqa: PLC0415 (nothing else needs it)

        print(shtab.complete(parser(), shell))
        program.exit()


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command.

    Args:
        arguments: Of the command line; those of the process if None.

    Returns:
        The exit status: 0 when done, 1 after an error and 130 after Ctrl-C, both told on standard error.

    Raises:
        SystemExit: With 2 if the command line is wrong, with 0 for --help and --version, with 141 if what reads the
            output stopped reading.
    """
    given = sys.argv[1:] if arguments is None else list(arguments)
    try:
        with _output():
            options = _parse(given)
        if options.json not in (None, "-"):
            check_result_file(Path(options.json), "--json")
        check_distinct(options)
        with told_warnings(), redirect_stdout(sys.stderr):  # Keras and others print progress there
            result = options.run(options)
        with _output():
            _put(result, options)
    except (ExportError, KerasApproxError) as error:
        print(f"error: {_one_line(str(error))}", file=sys.stderr)
        return FAILED
    except (OSError, MemoryError) as error:  # a full disk, a name that is too long, a pipe that was closed
        print(f"error: {_one_line(_system_error(error))}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt as interrupt:
        advice = f": {interrupt}" if isinstance(interrupt, Interrupted) else ""
        print(f"\ninterrupted{advice}", file=sys.stderr)
        return INTERRUPTED
    return OK


def _parse(given: Sequence[str]) -> argparse.Namespace:
    """The options of the command that is given."""
    program = parser(next((word for word in given if word in _COMMANDS), ""))
    strange = next((word for word in given if "\0" in word), None)
    if strange is not None:  # shells cannot give one, other programs can
        program.error(f"expected words without NUL characters, got {strange[:200]!r}")
    return program.parse_args(given)


@contextmanager
def _output() -> Iterator[None]:
    """Sends what is printed within, and ends the program quietly once its reader has stopped."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # names of files can hold what an encoding lacks
            stream.reconfigure(errors="backslashreplace")
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python sends the rest when it ends
        sys.exit(CLOSED)


def _put(result: Result, options: argparse.Namespace) -> None:
    record = {
        "command": options.command,
        "version": __version__,
        **result.record,
    }
    text = json.dumps(record, indent=1) + "\n"
    if options.json == "-":
        sys.stdout.write(text)
        return
    if options.json is not None:
        write_new_file(Path(options.json), text.encode(), "--json")
    print(result.text)


def _system_error(error: OSError | MemoryError) -> str:
    """What the system says."""
    if isinstance(error, MemoryError):
        return f"there is not enough memory: {error}"
    where = f" ({str(error.filename)[:200]!r})" if error.filename is not None else ""
    return f"{error.strerror or error}{where}"


def _one_line(message: str) -> str:
    """A message without line breaks and without what could steer a terminal, such as in names of layers."""
    return re.sub(" +", " ", printable(message, instead=" ")).strip()
