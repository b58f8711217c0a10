"""Keeps two processes from writing into the same file or folder."""

from __future__ import annotations

from typing import Protocol


class _HasDescriptor(Protocol):
    def fileno(self) -> int: ...


def try_lock(file: int | _HasDescriptor) -> bool:
    """Locks an open file or folder for this process, until it is closed.

    Args:
        file: Its descriptor, or what has one.

    Returns:
        Whether it is free for this process: False if another one has locked it. Where the system or its file system
        has no such locks, everything is free.
    """
    try:
        import fcntl  # noqa: PLC0415 - not on Windows

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except (ImportError, OSError):
        return True
    return True
