"""Counting a network's instructions with QEMU: its virtual clock under -icount, read through SysTick."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np

from export.artifact.manifest import read_manifest
from export.targets import get_core

_SOURCES = Path(__file__).parent / "qemu"
_SHIFT = 8  # an instruction advances the clock by 2^8 ns, 5 or 6 ticks: what two readings cut off rounds away

# Machine, code and RAM addresses, nanoseconds of a SysTick tick: from QEMU's mps2 boards.
_MACHINES = {
    "cortex-m4": ("mps2-an386", 0x00000000, 0x20000000, 40),
    "cortex-m33": ("mps2-an505", 0x10000000, 0x38000000, 50),
}


def count_instructions(out_dir: Path, core: str, values: np.ndarray, folder: Path) -> tuple[int, np.ndarray]:
    """Runs an export once in QEMU.

    Args:
        out_dir: The export.
        core: "cortex-m4" or "cortex-m33".
        values: int8 [input size].
        folder: Where to build.

    Returns:
        Instructions from the entry of the network to its return, at most 2.6 million; and the output, int8
        [output size].
    """
    manifest = read_manifest(out_dir)
    machine, code, ram, nanoseconds = _MACHINES[core]
    data = ", ".join(map(str, values.tolist()))
    declaration = "const signed char network_input[]"
    (folder / "input.c").write_text(f"extern {declaration};\n{declaration} = {{{data}}};\n")
    image = folder / "count.elf"
    subprocess.run(
        [
            *("arm-none-eabi-gcc", *get_core(core).compiler_flags, *manifest.compiler_flags, "-nostartfiles"),
            *(f"-DNETWORK_RUN={manifest.name}_run", f"-DNETWORK_OUTPUT_SIZE={manifest.outputs[0].nbytes}"),
            *(
                f"-Wl,--defsym=CODE_ORIGIN={code}",
                f"-Wl,--defsym=RAM_ORIGIN={ram}",
                "-Wl,--no-warn-rwx-segments",
            ),
            *(
                "-I",
                str(out_dir),
                "-T",
                str(_SOURCES / "count.ld"),
                str(_SOURCES / "count.c"),
                str(folder / "input.c"),
            ),
            *(str(out_dir / source) for source in manifest.sources),
            *("-o", str(image)),
        ],
        check=True,
    )
    printed = subprocess.run(
        [
            *(
                "qemu-system-arm",
                "-M",
                machine,
                "-kernel",
                str(image),
                "-nographic",
                "-icount",
                f"shift={_SHIFT}",
            ),
            *("-semihosting-config", "enable=on,target=native", "-monitor", "none", "-serial", "none"),
        ],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    numbers = [int(line) for line in (printed.stdout + printed.stderr).split()]
    instructions = round((numbers[1] - numbers[0]) * nanoseconds / 2**_SHIFT) + 1
    return instructions, np.array(numbers[2:], np.uint8).view(np.int8)
