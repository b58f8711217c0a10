"""What is installed of the packages and tools that this project uses, and what to do about the rest.

`keras-approx doctor` prints it. It stands on this side, with nothing but the standard library, so that
`python -m keras_approx.installation` works even where another module named `export` keeps the command from starting.
"""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from keras_approx import __version__

_TOOLS = (
    ("arm-none-eabi-gcc", "gcc-arm-none-eabi", "building for Cortex-M, so simulate too"),
    ("cc", "gcc", "building for this machine"),
    ("cmake", "cmake", "the firmware examples"),
    ("qemu-system-arm", "qemu-system-arm", "the tests of firmware"),
)
_EXTRAS = {
    "": "export, estimate and simulate a .tflite",
    "eliminate": "eliminating products of a .tflite",
    "train": "wrap, eliminate, fine-tune, explore, and exporting Keras models",
    "reference": "comparing with TFLite's reference kernels without TensorFlow",
    "plots": "reports and plots",
    "explore": "exploring on a Dask cluster",
}
_SECONDS = 10  # for a tool to say its version


@dataclass(frozen=True)
class Part:
    """A package or a tool.

    Attributes:
        name: Of the distribution or the program.
        version: As it says itself; None if it is missing.
        purpose: What it is needed for.
    """

    name: str
    version: str | None
    purpose: str


@dataclass(frozen=True)
class Installation:
    """What was found.

    Attributes:
        about: This package, Python and the system, in one line.
        parts: Packages and tools.
        advice: A sentence for each thing that is missing or in the way; one that says so if nothing is.
    """

    about: str
    parts: list[Part]
    advice: list[str]


def examine() -> Installation:
    """Looks at this installation; nothing is imported, and only compilers are run, to ask for their versions."""
    purposes: dict[str, list[str]] = {}  # of each distribution; several extras may bring it
    advice = []
    for extra, purpose in _EXTRAS.items():
        for name in (names := required(extra)):
            purposes.setdefault(name, []).append(purpose)
        if missing := [name for name in names if _version(name) is None]:
            package = f"'keras_approx[{extra}]'" if extra else "keras_approx"
            advice.append(f"{', '.join(missing)} missing, for {purpose}: pip install {package}")
    parts = [Part(name, _version(name), "; ".join(found)) for name, found in purposes.items()]
    for tool, package, purpose in _TOOLS:
        version = _tool_version(tool)
        parts.append(Part(tool, version, purpose))
        if version is None:
            advice.append(
                f"{tool} missing, for {purpose}: apt-get install {package}, or your system's package of it"
            )
    advice += _hidden()
    return Installation(
        about=f"keras_approx {__version__}, Python {platform.python_version()}, {platform.platform()}",
        parts=parts,
        advice=advice or ["nothing is missing"],
    )


def required(extra: str) -> list[str]:
    """The distributions that an extra of keras_approx brings for this Python; those it always needs for ""."""
    found = []
    for requirement in metadata.requires("keras_approx") or []:
        name, _, condition = requirement.partition(";")
        wanted = re.search(r"""extra == ["']([^"']+)["']""", condition)
        version = re.search(r"""python_version < ["']3\.(\d+)["']""", condition)
        if (wanted.group(1) if wanted else "") == extra and not (
            version and sys.version_info >= (3, int(version.group(1)))
        ):
            found.append(re.split(r"[^\w.-]", name.strip(), maxsplit=1)[0])
    return found


def export_modules(folders: Sequence[str]) -> list[Path]:
    """Every module or package named `export` in these folders, in the order in which Python would find them."""
    found = []
    for folder in folders:
        for path in (Path(folder or ".", "export/__init__.py"), Path(folder or ".", "export.py")):
            if path.is_file() and path.resolve() not in found:
                found.append(path.resolve())
    return found


def _hidden() -> list[str]:
    """Advice if `import export`, from a script in the current folder, would find something else than our package."""
    others = [path for path in export_modules(["", *sys.path]) if not _is_ours(path)]
    return [
        f"{path} is named export too and hides this project's package from scripts that find it first: rename it, or "
        "start Python in another folder"
        for path in others
    ]


def _is_ours(path: Path) -> bool:
    return (path.parent / "api.py").is_file() and (path.parent / "costing").is_dir()


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _tool_version(tool: str) -> str | None:
    if shutil.which(tool) is None:
        return None
    try:
        done = subprocess.run(
            [tool, "--version"],
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=True,
            errors="replace",
        )
    except (OSError, subprocess.SubprocessError):
        return None
    number = re.search(r"\d+(\.\d+)+", done.stdout.partition("\n")[0])
    return number.group() if number else "unknown"


if __name__ == "__main__":
    installation = examine()
    print(installation.about)
    for part in installation.parts:
        print(f"{part.name} {part.version or 'missing'}: {part.purpose}")
    print(*installation.advice, sep="\n")
