"""C identifiers for inputs and outputs, from untrusted names."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

# Of C up to C23 and C++ up to C++20, with what compilers and <stdint.h> add.
KEYWORDS = (
    "alignas|alignof|and|and_eq|asm|auto|bitand|bitor|bool|break|case|catch|char|char8_t|char16_t|char32_t|class|co_await|"
    "co_return|co_yield|compl|concept|const|const_cast|consteval|constexpr|constinit|continue|decltype|default|delete|do|"
    "double|dynamic_cast|else|enum|explicit|export|extern|false|float|for|friend|goto|if|inline|int|long|mutable|"
    "namespace|new|noexcept|not|not_eq|nullptr|operator|or|or_eq|override|final|private|protected|public|register|"
    "reinterpret_cast|requires|restrict|return|short|signed|sizeof|static|static_assert|static_cast|struct|switch|"
    "template|this|thread_local|throw|true|try|typedef|typeid|typename|typeof|typeof_unqual|union|unsigned|using|"
    "virtual|void|volatile|wchar_t|while|xor|xor_eq|import|module|linux|unix|u?int(8|16|32|64|ptr)_t|size_t"
)
_RESERVED = re.compile(KEYWORDS)
_NO_NAME = "statefulpartitionedcall"  # what converters call an output whose name they dropped
_LONGEST = 31


def field_names(names: Sequence[str], kind: str) -> tuple[str, ...]:
    """A field of a struct for each tensor: its name where that can be one, else `kind` and its number.

    Args:
        names: As the model's author wrote them.
        kind: "input" or "output".
    """
    wanted = [_identifier(name) for name in names]
    uses = Counter(wanted)
    return tuple(
        name if name is not None and uses[name] == 1 else f"{kind}{number}"
        for number, name in enumerate(wanted)
    )


def _identifier(name: str) -> str | None:
    """The part of a tensor's name that its author chose, in lower case."""
    text = re.sub(r":\d+$", "", name).removeprefix("serving_default_")
    text = re.sub("[^a-z0-9]+", "_", text.lower()).strip("_")
    usable = re.fullmatch("[a-z][a-z0-9_]*", text) and len(text) <= _LONGEST
    taken = re.fullmatch(r"(in|out)put\d+", text) or _RESERVED.fullmatch(text) or text.startswith(_NO_NAME)
    return text if usable and not taken else None
