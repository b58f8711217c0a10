"""The board that an export was made for: a listed one, or one whose file the export holds."""

from __future__ import annotations

import os
from pathlib import Path

from export.artifact.manifest import Manifest
from export.targets import BOARDS, Board, read_board

BOARD_FILE = "board.toml"


def exported_board(out_dir: str | os.PathLike[str], manifest: Manifest) -> Board | None:
    """Returns the board that an export was made for, None where it was made for a core alone.

    Args:
        out_dir: What `export.to_c` returned, or the folder it wrote.
        manifest: Its manifest.

    Raises:
        TargetError: The board is not listed and the export holds no file, or an impossible one.
    """
    if manifest.board is None:
        return None
    return BOARDS.get(manifest.board) or read_board(Path(out_dir) / BOARD_FILE)
