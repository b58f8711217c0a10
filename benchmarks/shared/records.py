"""Records of what was measured: JSON that is written whole, and found again when a command continues.

A command that measures some of what a record has, such as one network, leaves the rest as it was. So all that stands in
a record must have been measured with the same settings: where a command was given others, it refuses, unless it is told
to drop what is there.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from keras_approx.storage.files import replacing


def write_bytes(path: Path, content: bytes) -> None:
    """Writes a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as file:
        file.write(content)


def write_json(path: Path, content: Any) -> None:
    """Writes a file of JSON whole or not at all."""
    write_bytes(path, (json.dumps(content, indent=1) + "\n").encode())


def read_json(path: Path) -> Any:
    """What `write_json` wrote."""
    return json.loads(path.read_text(encoding="utf-8"))


def read_folder(folder: Path) -> list[Any]:
    """The JSON of all files of a folder, in the order of their names."""
    return [read_json(path) for path in sorted(folder.glob("*.json"))]


def add_replace(parser: argparse.ArgumentParser) -> None:
    """Adds --replace, which `stays` follows."""
    parser.add_argument(
        "--replace",
        action="store_true",
        help="drop what was recorded with other settings, and measure it anew",
    )


def add_output(parser: argparse.ArgumentParser, default: Path) -> None:
    """Adds --output, the record that is written, and --replace.

    Args:
        parser: Of the benchmark.
        default: The published record.
    """
    parser.add_argument("--output", type=Path, default=default, help="JSON to write (default: %(default)s)")
    add_replace(parser)


def recorded(path: Path) -> dict[str, Any]:
    """What a record has; nothing where there is none yet."""
    return dict(read_json(path)) if path.is_file() else {}


def stays(
    what: str, found: Mapping[str, Any], wanted: Mapping[str, Any], replace: bool, *, figures: bool = False
) -> bool:
    """Whether figures of a record may stand beside those that are measured now.

    Args:
        what: The figures, as the message calls them.
        found: The settings of these figures.
        wanted: The settings of what is measured now.
        replace: Whether figures of other settings go.
        figures: Whether `found` holds the figures too, beside the settings.

    Returns:
        False where they go.

    Raises:
        SystemExit: The settings differ, and nothing says that the figures may go.
    """
    asked: dict[str, Any] = json.loads(json.dumps(wanted))
    names = asked if figures else {**asked, **found}
    other = [
        f"{name} {found.get(name, 'unknown')} and not {asked.get(name, 'unknown')}"
        for name in names
        if found.get(name) != asked.get(name)
    ]
    if other and not replace:
        raise SystemExit(
            f"error: expected {what} to have been recorded with these settings, found {', '.join(other)}: give the "
            "options they were recorded with, write to another place, or give --replace to drop them"
        )
    return not other


def record_of(path: Path, settings: Mapping[str, Any], replace: bool = False) -> dict[str, Any] | None:
    """The record of one run that was written before, if it is of these settings.

    Args:
        path: Of the record.
        settings: Of the run.
        replace: Whether it may be of others, and be measured anew.

    Raises:
        SystemExit: It is of other settings.
    """
    record = recorded(path)
    return record if record and stays(str(path), record["settings"], settings, replace) else None
