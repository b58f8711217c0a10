"""C identifiers for inputs and outputs, from names that nobody vouches for."""

from __future__ import annotations

import re
from collections.abc import Sequence

_RESERVED = re.compile(
    "auto|break|case|char|const|continue|default|do|double|else|enum|extern|float|for|goto|if|inline|int|long|register|"
    "restrict|return|short|signed|sizeof|static|struct|switch|typedef|union|unsigned|void|volatile|while|bool|true|false|"
    "and|or|not|xor|asm|class|delete|export|new|private|public|template|this|throw|try|using|virtual|u?int(8|16|32|64)_t"
)
_LONGEST = 31


def field_names(names: Sequence[str], kind: str) -> tuple[str, ...]:
    """A field of a struct for each tensor: its name where that can be one, else `kind` and its number.

    Args:
        names: as the model's author wrote them.
        kind: "input" or "output".
    """
    wanted = [_identifier(name) for name in names]
    return tuple(
        name if name is not None and wanted.count(name) == 1 else f"{kind}{number}"
        for number, name in enumerate(wanted)
    )


def _identifier(name: str) -> str | None:
    """The part of a tensor's name that people gave it, in lower case."""
    text = re.sub(r":\d+$", "", name).removeprefix("serving_default_")
    text = re.sub("[^a-z0-9]+", "_", text.lower()).strip("_")
    usable = re.fullmatch("[a-z][a-z0-9_]*", text) and len(text) <= _LONGEST
    taken = re.fullmatch(r"(in|out)put\d+", text) or _RESERVED.fullmatch(text)
    return text if usable and not taken else None
