"""What was computed before, up to a number of results."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

Value = TypeVar("Value")


class Memory(Generic[Value]):
    """Results by key; the least recently used go first.

    Args:
        size: how many results are kept.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._held: OrderedDict[Hashable, Value] = OrderedDict()

    def get(self, key: Hashable, compute: Callable[[], Value]) -> Value:
        """The result of a key, computed if it is not there."""
        if key not in self._held:
            self._held[key] = compute()
            if len(self._held) > self._size:
                self._held.popitem(last=False)
        self._held.move_to_end(key)
        return self._held[key]


def digest(values: NDArray[Any]) -> bytes:
    """Stands for an array's values in a key."""
    return hashlib.blake2b(np.ascontiguousarray(values).data, digest_size=16).digest()
