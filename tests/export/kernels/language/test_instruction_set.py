"""The macros: their assembly is what GNU as makes of it, and their C has the same effect."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import capstone
import numpy as np
from elftools.elf.elffile import ELFFile

from export.kernels.language.instruction_set import MACROS, Macro, Operand
from export.kernels.language.instructions import ENTRY, EXIT, instructions
from export.kernels.language.steps import Step
from export.targets.assembly import decode

LOW, HIGH = tuple(f"r{i}" for i in range(8)), (*(f"r{i}" for i in range(8, 13)), "lr")
NUMBERS = (0, 4, 31, 124, 128, 255, 1020, 4080)
SHIFTS = (1, 8, 31)


def samples(macro: Macro, rng: np.random.Generator) -> Iterator[Step]:
    """Steps of a macro with low, mixed and high registers, which ascend as multiple transfers want it."""
    kinds = list(macro.parameters.values())
    for pool in (LOW, (*LOW, *HIGH), HIGH):
        free = [name for name in pool if name not in re.findall(r"\w+", macro.assembly)]
        if len(free) < kinds.count(Operand.REGISTER):
            continue
        chosen = sorted(rng.permutation(len(free))[: kinds.count(Operand.REGISTER)].tolist())
        names = iter([free[place] for place in chosen])
        shifts = any(word in macro.assembly for word in ("asr #", "lsl #", ", #{n}\nit", "lsl {"))
        reach = {"LDR_NEXT": 255, "LDRC_NEXT": 255, "LDRD": 1020}.get(macro.name, 4095)
        numbers = [number for number in NUMBERS if number <= reach and (number % 4 == 0 or reach != 1020)]
        number = int(rng.choice(SHIFTS if shifts else numbers))
        values = {"slot": int(rng.integers(0, 20)), "label": 1, "n": 1 if macro.name == "GOTO" else number}
        args = [
            next(names) if kind is Operand.REGISTER else values.get(name, number)
            for name, kind in macro.parameters.items()
        ]
        yield Step(macro.name, tuple(args))


def test_instructions_are_those_of_the_assembler(tmp_path: Path) -> None:
    """What is disassembled decodes to what was read from the text, in the same widths."""
    rng = np.random.default_rng(0)
    macros = [macro for macro in MACROS.values() if macro.name != "LABEL"]
    steps = [item for macro in macros for _ in range(4) for item in samples(macro, rng)]
    lines = [".syntax unified", ".thumb"]
    for item in steps:
        backwards = any("{label}b" in line for line in MACROS[item.name].assembly.splitlines())
        code = MACROS[item.name].lines(item.args)
        lines += ["1:", *code] if backwards else [*code, "1:"]
    source, target = tmp_path / "all.s", tmp_path / "all.o"
    source.write_text("\n".join(lines) + "\n")
    subprocess.run(["arm-none-eabi-as", "-mcpu=cortex-m33", source, "-o", target], check=True)
    with target.open("rb") as file:
        section = ELFFile(file).get_section_by_name(".text")
        assert section is not None
        text = section.data()
    disassembler = capstone.Cs(capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS)
    found = [decode(one.mnemonic, one.op_str, 8 * one.size) for one in disassembler.disasm(text, 0)]
    expected = [(item, one) for item in steps for one in instructions(item)]
    assert len(found) == len(expected)
    for (item, planned), real in zip(expected, found, strict=True):
        assert (planned.kind, planned.width, planned.words) == (real.kind, real.width, real.words), item
        assert set(planned.writes) == set(real.writes), item
        assert set(planned.reads) == set(real.reads), item
        assert (planned.accumulators, planned.address) == (real.accumulators, real.address), item


def test_entry_and_exit_move_the_stack_by_the_same() -> None:
    assert [one.words for one in (*ENTRY, *EXIT)] == [9, 1, 1, 9]


def test_records_are_whole() -> None:
    for macro, number in zip(MACROS.values(), count()):
        assert macro.c.endswith(";"), (number, macro)
        assert macro.assembly
        for name in macro.parameters:
            assert f"{{{name}}}" in macro.assembly, macro
            assert f"{{{name}}}" in macro.c, macro
