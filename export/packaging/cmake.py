"""A library target of CMake; configured on its own, the folder also builds the example."""

from __future__ import annotations

from collections.abc import Sequence

ADVICE = (
    "CMake: `add_subdirectory(out)`, then `target_link_libraries(firmware {name})`. By itself, "
    "`cmake -S out -B build && cmake --build build && build/example` builds and runs the example on this machine."
)
_LISTS = """\
cmake_minimum_required(VERSION 3.13)
if(CMAKE_SOURCE_DIR STREQUAL CMAKE_CURRENT_SOURCE_DIR)
    project({name} C)
    add_executable(example example.c)
    target_link_libraries(example PRIVATE {name})
endif()

set({NAME}_ARENA_SECTION "" CACHE STRING "section that the static arena of {name} lies in, such as .bss.dtcm")
add_library({name} STATIC
{sources}
)
target_include_directories({name} PUBLIC ${{CMAKE_CURRENT_SOURCE_DIR}})
target_compile_features({name} PRIVATE c_std_11)
target_compile_options({name} PRIVATE -O2)
if({NAME}_ARENA_SECTION)
    target_compile_definitions({name} PRIVATE "{NAME}_ARENA_SECTION=\\"${{{NAME}_ARENA_SECTION}}\\"")
endif()
"""


def files(name: str, sources: Sequence[str]) -> dict[str, str]:
    """CMakeLists.txt, for add_subdirectory.

    Args:
        name: Of the target.
        sources: Its C files.
    """
    listed = "\n".join(f"    {source}" for source in sources)
    return {"CMakeLists.txt": _LISTS.format(name=name, NAME=name.upper(), sources=listed)}
