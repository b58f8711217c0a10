"""Replaces a folder that other processes may be reading: an exchange in one step, under a lock."""

from __future__ import annotations

import ctypes
import errno
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from export.errors import OutputPathError
from keras_approx.storage.locks import try_lock

_CURRENT_FOLDER, _EXCHANGE = (
    -100,
    2,
)  # AT_FDCWD and RENAME_EXCHANGE of Linux; RENAME_SWAP of macOS is 2 as well
_ABSENT = {errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EPERM}
_WAIT_SECONDS = 30


def exchange(one: Path, other: Path) -> bool:
    """Lets two folders change places, in one step.

    Returns:
        Whether the system and its file system can; nothing has happened if not.

    Raises:
        OSError: They can, but not here.
    """
    if sys.platform not in ("linux", "darwin"):
        return False
    library = ctypes.CDLL(None, use_errno=True)
    paths = (os.fsencode(one), os.fsencode(other))
    try:
        if sys.platform == "linux":
            status = library.renameat2(_CURRENT_FOLDER, paths[0], _CURRENT_FOLDER, paths[1], _EXCHANGE)
        else:
            status = library.renamex_np(*paths, _EXCHANGE)
    except AttributeError:  # an older C library
        return False
    if status == 0:
        return True
    number = ctypes.get_errno()
    if number in _ABSENT:
        return False
    raise OSError(number, os.strerror(number), str(one))


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Holds a folder against other exports that would write into it, for as long as that takes.

    The lock is on the folder itself, so it leaves nothing behind and goes with its process. Where the system has no
    such locks, nothing is held.

    Raises:
        OutputPathError: Another process holds it for too long.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except PermissionError:  # it can be written into, but not read
        yield
        return
    try:
        end = time.monotonic() + _WAIT_SECONDS
        while not try_lock(descriptor):
            if time.monotonic() > end:
                raise OutputPathError(
                    f"another export has been writing into {str(folder)!r} for {_WAIT_SECONDS} seconds: "
                    "wait until it has finished, or stop it"
                )
            time.sleep(0.02)
        yield
    finally:
        os.close(descriptor)
