"""The cores code is generated for, as data."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from export.errors import TargetError
from export.targets.timing import CORTEX_M0PLUS, CORTEX_M3, CORTEX_M4, CORTEX_M7, CORTEX_M33, Timing


@dataclass(frozen=True)
class Core:
    """A processor core.

    Attributes:
        name: As users write it.
        dsp: Whether it has the DSP extension: SMLAD, SXTB16, SMMLAR, SSAT with 16-bit operands.
        timing: Its pipeline; None for the host, whose cycles are not predicted.
        compiler_flags: What selects it in GCC and Clang.
        emulator: Unicorn's model name of a core with the same instruction set, or None where it cannot be
            emulated.
    """

    name: str
    dsp: bool
    timing: Timing | None
    compiler_flags: tuple[str, ...]
    emulator: str | None

    @property
    def plain(self) -> bool:
        """Whether layers are C loops: an Arm core that has no dual multiply-accumulate to write kernels for."""
        return self.timing is not None and not self.dsp


def _arm(name: str, cpu: str, *, dsp: bool, timing: Timing, emulator: str) -> Core:
    # Nothing generated computes in floating point, so the software ABI links with any project setting of the
    # FPU.
    return Core(name, dsp, timing, (f"-mcpu={cpu}", "-mthumb", "-mfloat-abi=soft"), emulator)


CORES: dict[str, Core] = {
    core.name: core
    for core in (
        _arm("cortex-m33", "cortex-m33", dsp=True, timing=CORTEX_M33, emulator="UC_CPU_ARM_CORTEX_M33"),
        _arm("cortex-m4", "cortex-m4", dsp=True, timing=CORTEX_M4, emulator="UC_CPU_ARM_CORTEX_M4"),
        _arm("cortex-m7", "cortex-m7", dsp=True, timing=CORTEX_M7, emulator="UC_CPU_ARM_CORTEX_M7"),
        _arm("cortex-m3", "cortex-m3", dsp=False, timing=CORTEX_M3, emulator="UC_CPU_ARM_CORTEX_M3"),
        _arm(
            "cortex-m0plus", "cortex-m0plus", dsp=False, timing=CORTEX_M0PLUS, emulator="UC_CPU_ARM_CORTEX_M0"
        ),
        Core("host", False, None, (), None),
    )
}


def get_core(name: str) -> Core:
    """Returns a core by name.

    Raises:
        TargetError: No core has that name.
    """
    if not isinstance(name, str):
        raise TargetError(f"expected the name of a core, such as 'cortex-m4', got {name!r}")
    try:
        return CORES[name]
    except KeyError:
        raise TargetError(
            f"unknown core {name!r}{nearest(name, CORES)}; known cores: {', '.join(sorted(CORES))}"
        ) from None


def nearest(name: str, known: Iterable[str]) -> str:
    """What an unknown name probably means, for the error message."""
    found = difflib.get_close_matches(name, list(known), n=1)
    return f", did you mean {found[0]!r}?" if found else ""
