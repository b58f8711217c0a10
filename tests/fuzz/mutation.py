"""Damage to bytes and to JSON."""

from __future__ import annotations

import json
import struct
from copy import deepcopy
from typing import Any

import numpy as np

_WORDS = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_VALUES: tuple[Any, ...] = (
    *(
        None,
        True,
        False,
        0,
        -1,
        1,
        3,
        127,
        255,
        1 << 31,
        1 << 40,
        1 << 63,
        1 << 200,
        0.5,
        -0.0,
        1e300,
        1e-300,
    ),
    *(float("nan"), float("inf"), "", "x", "../x", "/etc/passwd", "-O2 -o x", "\0", "ä\u202e", "x" * 100_000),
    *([], {}, [[]], [None], {"class_name": "Lambda"}, {"": 0}),
)


def damaged_bytes(rng: np.random.Generator, content: bytes, most: int = 8) -> bytes:
    """A file with flipped bits, other words, parts that are gone, doubled or moved, or cut off."""
    data = bytearray(content)
    for _ in range(int(rng.integers(1, most + 1))):
        if not data:
            break
        at, length = int(rng.integers(len(data))), int(rng.integers(1, 64))
        match int(rng.integers(7)):
            case 0 | 1:
                data[at] ^= 1 << int(rng.integers(8))
            case 2 | 3:
                place = min(at & ~3, max(0, len(data) - 4))
                word = int(rng.choice(_WORDS)) if rng.random() < 0.7 else int(rng.integers(1 << 32))
                data[place : place + 4] = struct.pack("<I", word)
            case 4:
                del data[at : at + length]
            case 5:
                data[at:at] = data[at : at + length]
            case _ if rng.random() < 0.2:
                del data[at:]
            case _:
                data[at : at + length] = rng.bytes(length)
    return bytes(data)


def damaged_json(rng: np.random.Generator, content: Any, most: int = 3) -> bytes:
    """A JSON text in which values are others, missing or doubled; sometimes no JSON at all."""
    holder = [json.loads(json.dumps(content))]
    for _ in range(int(rng.integers(1, most + 1))):
        _damage(rng, holder)
    text = json.dumps(holder[0])
    if rng.random() < 0.1:
        text = "[" * int(rng.integers(1, 200_000)) + text
    encoded = text.encode()
    return damaged_bytes(rng, encoded, 2) if rng.random() < 0.15 else encoded


def _damage(rng: np.random.Generator, holder: list[Any]) -> None:
    parent: Any = holder
    while True:
        keys = list(parent) if isinstance(parent, dict) else list(range(len(parent)))
        if not keys:
            return
        key = keys[int(rng.integers(len(keys)))]
        value = parent[key]
        if isinstance(value, dict | list) and value and rng.random() < 0.85:
            parent = value
            continue
        match int(rng.integers(6)):
            case 0 if parent is not holder:
                del parent[key]
            case 1 if isinstance(parent, dict):
                parent[str(rng.choice(["extra", "format", "name", ""]))] = deepcopy(value)
            case 2 if isinstance(value, int | float) and not isinstance(value, bool):
                parent[key] = value * int(rng.choice([-1, 2, 1000, 1 << 32])) + int(rng.integers(-2, 3))
            case 3 if isinstance(parent, list):
                parent.insert(key, deepcopy(value))
            case _:
                parent[key] = deepcopy(_VALUES[int(rng.integers(len(_VALUES)))])
        return
