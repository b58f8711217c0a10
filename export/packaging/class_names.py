"""Names of classes, which go into C as strings."""

from __future__ import annotations

from collections.abc import Sequence

from export.errors import ExportError
from export.ir.graph import Graph
from keras_approx.text import plural

_LONGEST_NAME = 200  # letters


def check_class_names(names: Sequence[str] | None, graph: Graph) -> tuple[str, ...]:
    """The names as a tuple, empty for None.

    Raises:
        ExportError: A name is no text that C can hold, or there is not one for each class.
    """
    if names is None:
        return ()
    listed = tuple(names) if not isinstance(names, str) else ()
    odd: list[object] = [name for name in listed if not _is_text(name)]
    if not listed:
        odd = [names]
    if odd:
        raise ExportError(
            f"class_names must be a sequence of texts of 1 to {_LONGEST_NAME} letters, got {odd[0]!r}"
        )
    sizes = [graph.tensors[tensor].size for tensor in graph.outputs]
    if sizes != [len(listed)]:
        raise ExportError(
            "expected a class name for each value of the network's one output, got "
            f"{plural(len(listed), 'name')} for {plural(len(sizes), 'output')} of {' and '.join(map(str, sizes))}"
        )
    return listed


def _is_text(name: object) -> bool:
    return isinstance(name, str) and 0 < len(name) <= _LONGEST_NAME and name.isprintable()
