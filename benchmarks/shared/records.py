"""Records of what was measured: JSON that is written whole, and found again when a command continues."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def write_json(path: Path, content: Any) -> None:
    """Writes a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    temporary.replace(path)


def read_json(path: Path) -> Any:
    """What `write_json` wrote."""
    return json.loads(path.read_text(encoding="utf-8"))


def read_folder(folder: Path) -> list[Any]:
    """The JSON of all files of a folder, in the order of their names."""
    return [read_json(path) for path in sorted(folder.glob("*.json"))]


def record_of(path: Path, settings: Mapping[str, Any]) -> dict[str, Any] | None:
    """A record that was written before, if it is of a run with these settings."""
    if not path.is_file():
        return None
    record: dict[str, Any] = read_json(path)
    return record if record["settings"] == settings else None
