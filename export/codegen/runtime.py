"""The runtime header of an export: helpers, and the macros of the kernel language as assembly and as C."""

from __future__ import annotations

import re
from importlib import resources
from string import Formatter

from export.kernels.language.instruction_set import MACROS, Macro, Operand

_WIDTH = 118
_PARAMETER = re.compile(r"\{(\w+)\}")


def runtime_header() -> str:
    """The header's text, the same for every network."""
    text = _template("runtime.h").replace("@plain@\n", _template("plain.h"))
    for half, write in (("@assembly@", assembly_definition), ("@portable@", c_definition)):
        text = text.replace(half + "\n", "".join(map(write, MACROS.values())) + "\n")
    return text


def _template(name: str) -> str:
    return resources.files("export").joinpath("templates", name).read_text(encoding="utf-8")


def assembly_definition(macro: Macro) -> str:
    """The macro as text of the assembler; parameters are turned into strings by the preprocessor."""
    pieces = []
    for line in macro.assembly.splitlines():
        parts = [
            part for text, name, *_ in Formatter().parse(line) for part in (f'"{text}"', name and f"#{name}")
        ]
        pieces.append(" ".join([*(part for part in parts if part and part != '""'), '"\\n"']))
    return _define(macro, [piece.replace('" "', "") for piece in pieces])


def c_definition(macro: Macro) -> str:
    """The macro as statements of C."""
    kinds = macro.parameters

    def written(match: re.Match[str]) -> str:
        name = match[1]
        if kinds[name] is Operand.REGISTER:
            return f"s.{name}"
        return f"({name})" if kinds[name] is Operand.NUMBER else f"label_##{name}"

    statements = re.findall(r"[^;]+;", _PARAMETER.sub(written, macro.c))
    return _define(macro, [statement.strip() for statement in statements])


def _define(macro: Macro, pieces: list[str]) -> str:
    """A definition, broken between pieces where it is too long for a line."""
    head = f"#define K_{macro.name}({', '.join(macro.parameters)})"
    joined = f"{head} {' '.join(pieces)}"
    if len(joined) <= _WIDTH:
        return joined + "\n"
    lines, line = [head], "   "
    for piece in pieces:
        if len(line) + len(piece) + 1 > _WIDTH and line.strip():
            lines.append(line)
            line = "   "
        line += " " + piece
    lines.append(line)
    return "".join(f"{text:<{_WIDTH}}\\\n" for text in lines[:-1]) + lines[-1] + "\n"
