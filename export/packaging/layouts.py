"""The layouts of an export's folder: CMake, Arduino, CMSIS-Pack, plain files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from export.codegen import Project
from export.errors import ExportError
from export.packaging import arduino, cmake, cmsis_pack
from export.packaging.example import Sample, program
from export.packaging.names import ARDUINO, CMAKE, CMSIS_PACK, PLAIN
from export.packaging.readme import readme
from export.schedule.stage import Schedule

README, EXAMPLE = "README.md", "example.c"


@dataclass(frozen=True)
class Layout:
    """One way to lay out a folder.

    Attributes:
        folder: Where C files go, relative to the export; empty for the export itself.
        advice: For the readme, how a project takes the network in. `{name}` is the network's.
        more: Writes further files, by path, from the network's name, its C and the sample of the example.
        example: Whether there is `example.c`, a separate program.
    """

    folder: str
    advice: str
    more: Callable[[str, Project, Sample], dict[str, str]]
    example: bool = True


LAYOUTS = {
    CMAKE: Layout("", cmake.ADVICE, lambda name, project, sample: cmake.files(name, project.sources)),
    ARDUINO: Layout(
        "src", arduino.ADVICE, lambda name, project, sample: arduino.files(name, sample), example=False
    ),
    CMSIS_PACK: Layout(
        "src",
        cmsis_pack.ADVICE,
        lambda name, project, sample: cmsis_pack.files(name, project, "src", EXAMPLE),
    ),
    PLAIN: Layout(
        "",
        "Compile every `.c` file here but `example.c` with your project, and add this folder to its include path.",
        lambda name, project, sample: {},
    ),
}


def check_layout(layout: str) -> None:
    """Raises ExportError unless `layout` names a way to lay out an export's folder."""
    if layout not in LAYOUTS:
        raise ExportError(f"layout must be one of {', '.join(LAYOUTS)}, got {layout!r}")


@dataclass(frozen=True)
class Contents:
    """The text files of an export, by their paths relative to its folder.

    Attributes:
        files: All of them.
        sources: The network's C files, the one that runs the layers first, then those of layers in order.
        headers: Its headers.
    """

    files: dict[str, str]
    sources: tuple[str, ...]
    headers: tuple[str, ...]

    @property
    def layer_sources(self) -> tuple[str, ...]:
        """Those of `sources` that hold a layer, in order."""
        return self.sources[1:]


def arrange(schedule: Schedule, project: Project, name: str, layout: str, sample: Sample) -> Contents:
    """Lays out the C of a network with an example and a readme.

    Args:
        schedule: The network.
        project: Its C.
        name: Prefix of files and functions.
        layout: A key of LAYOUTS.
        sample: What the example runs.
    """
    chosen = LAYOUTS[layout]
    prefix = f"{chosen.folder}/" if chosen.folder else ""
    files = {prefix + file: text for file, text in project.files.items()}
    if chosen.example:
        files[EXAMPLE] = program(name, sample)
    files |= chosen.more(name, project, sample)
    files[README] = readme(schedule, name, chosen.advice, chosen.example)
    return Contents(
        files,
        tuple(prefix + source for source in project.sources),
        tuple(prefix + header for header in project.headers),
    )
