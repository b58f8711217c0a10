"""The kernel language, one record a macro: its assembly and the same in C. The records are tables in `macros/`.

Everything else follows from these records: both halves of the runtime header (`codegen.runtime`), what the cost model
prices (`instructions`), which operands a scheduler may move (`operands`), and what the tests' CPU runs.

A macro takes registers by name (`r0` to `r12`, `lr`), immediates, stack slots and labels. Kernels are entered with
the input in r0, the stream of constants in r1, the output in r2 and a table in r3. In C, registers are the members
of `s`, wide enough for a pointer of the host; a value lies in their low 32 bits.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from importlib import resources


class Operand(Enum):
    """What an argument of a macro is."""

    REGISTER = "register"
    NUMBER = "number"
    LABEL = "label"


_SIGNS = {"#": Operand.NUMBER, ":": Operand.LABEL}


@dataclass(frozen=True)
class Macro:
    """One word of the kernel language.

    Attributes:
        name: Without the K_ prefix.
        signature: Parameter names, `#` before those of numbers, `:` before those of labels.
        assembly: Thumb-2 text, an instruction a line, parameters in braces.
        c: Statements of the same effect, parameters in braces.
        constants: Whether its loads read constants, which lie in flash.
    """

    name: str
    signature: str
    assembly: str
    c: str
    constants: bool = False

    @cached_property
    def parameters(self) -> Mapping[str, Operand]:
        """What each parameter is, in order."""
        words = self.signature.split()
        return {word.lstrip("#:"): _SIGNS.get(word[0], Operand.REGISTER) for word in words}

    @property
    def is_branch(self) -> bool:
        """Whether it may continue elsewhere."""
        return Operand.LABEL in self.parameters.values() and self.name != "LABEL"

    def lines(self, args: tuple[str | int, ...]) -> list[str]:
        """Its assembly with these arguments, an instruction a line; a label is a line of its own."""
        values = dict(zip(self.parameters, args, strict=True))
        return [line.format(**values) for line in self.assembly.splitlines()]


def _record(text: str) -> Macro:
    """A macro as its table has it: its head, its assembly behind ">", then its C."""
    head, *rest = text.strip("\n").split("\n")
    match = re.fullmatch(r"(\w+) *\(([^)]*)\)( *constants)?", head.strip())
    assert match is not None, head
    assembly = [line.strip()[2:] for line in rest if line.strip().startswith("> ")]
    c = [line.strip() for line in rest if not line.strip().startswith("> ")]
    return Macro(match[1], match[2].replace(",", ""), "\n".join(assembly), " ".join(c), match[3] is not None)


def _read(kind: str) -> list[Macro]:
    """The macros of a table: records between empty lines, behind a line that says what they are."""
    text = (
        resources.files("export").joinpath(f"kernels/language/macros/{kind}.txt").read_text(encoding="utf-8")
    )
    _, *records = re.split(r"\n\n+", text)
    return [_record(record) for record in records]


_KINDS = ("loops", "memory", "pointers", "products", "arithmetic", "parallel", "requantization", "softmax")

MACROS: Mapping[str, Macro] = {macro.name: macro for kind in _KINDS for macro in _read(kind)}
"""Every macro by its name."""
