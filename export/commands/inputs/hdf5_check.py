"""Checks that the HDF5 library can read a file: a damaged one can crash it or keep it in an endless loop.

Nothing can interrupt the library, so a process of its own reads the file first, with limits.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from export.errors import ModelFormatError

WORK = 10
"""Seconds of processor time that reading a file may take, where the system can limit it."""
_WAITED = 300  # seconds; a busy machine is no reason to refuse a file
_READ = """
import sys
import h5py
try:
    import resource
    used = int(sum(resource.getrusage(resource.RUSAGE_SELF)[:2]))
    resource.setrlimit(resource.RLIMIT_CPU, (used + int(sys.argv[2]) + 1,) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
except ImportError:
    pass

def read(part):
    for name in part.attrs:
        part.attrs[name]

try:
    with h5py.File(sys.argv[1], "r") as content:
        read(content)
        content.visititems(lambda _, part: read(part))
except Exception:
    pass  # the process that loads the file meets the same error, and tells it
"""


def check_ends(path: Path, shown: str) -> None:
    """Reads all attributes of an HDF5 file, in another process. What raises errors there raises them here later.

    Args:
        path: The file.
        shown: Its name, for the message.

    Raises:
        ModelFormatError: The library does not come to an end with it, or crashes.
    """
    command = [sys.executable, "-I", "-c", _READ, str(path), str(WORK)]
    try:
        status = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_WAITED, check=False
        ).returncode
    except subprocess.TimeoutExpired:
        status = -1
    if status < 0:
        raise ModelFormatError(
            f"cannot read the model {shown!r}: the HDF5 library does not come to an end with it, or crashes; it is "
            "damaged: save the model again"
        )
