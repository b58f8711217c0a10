"""docs/architecture.md says what the code does."""

from __future__ import annotations

import inspect
import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
_EDGE = re.compile(r'^    (\w+)(?:\["[^"]+"\])? -->\|([\w.]+)\| (\w+)', re.MULTILINE)
_NODE = re.compile(r'(\w+)\["([^"]+)"\]')
NODES = dict(_NODE.findall(PAGE))
EDGES = _EDGE.findall(PAGE)


def _find(dotted: str) -> Any:
    module, _, name = dotted.rpartition(".")
    return getattr(import_module(module), name)


def test_the_picture_is_read_whole() -> None:
    assert len(EDGES) == PAGE.count("-->|") >= 15
    assert {node for edge in EDGES for node in (edge[0], edge[2])} == {*NODES}


@pytest.mark.parametrize(("source", "function", "result"), EDGES)
def test_each_arrow_is_a_function_between_its_boxes(source: str, function: str, result: str) -> None:
    found = _find(function)
    assert callable(found)
    assert found.__module__ == function.rpartition(".")[0]
    signature = inspect.signature(found)
    if NODES[result].startswith(("export.", "keras_approx.")):
        kind = _find(NODES[result])
        assert str(signature.return_annotation).split(".")[-1] == kind.__name__
        assert kind.__module__ == NODES[result].rpartition(".")[0]
    if NODES[source].startswith("export."):
        taken = " ".join(str(parameter.annotation) for parameter in signature.parameters.values())
        # A folder takes the files of a project; all others take their source itself.
        assert _find(NODES[source]).__name__ in taken or function.endswith("write_folder")


@pytest.mark.parametrize("package", ["export", "keras_approx"])
def test_every_package_has_its_row(package: str) -> None:
    section = PAGE.split(f"\n## {package}\n")[1].split("\n## ")[0]
    rows = {
        name
        for line in section.splitlines()
        if line.startswith("| `")
        for name in re.findall(r"`(\w+)`", line.split("|")[1])
    }
    folders = {path.parent.name for path in (ROOT / package).glob("*/__init__.py")}
    assert rows == folders


@pytest.mark.parametrize(
    "page", ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "examples/README.md"]
)
def test_links_into_the_repository_are_right(page: str) -> None:
    # Those of docs/ are checked when the site is built.
    text = (ROOT / page).read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)#\s]+)", text):
        assert "://" in link or (ROOT / page).parent.joinpath(link).exists(), link


def test_paths_of_the_contributing_guide_are_there() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    paths = re.findall(r"`((?:export|keras_approx|tests|benchmarks|examples)/[\w./]+)`", text)
    assert len(paths) > 20
    for path in paths:
        assert (ROOT / path).exists(), path


@pytest.mark.parametrize("package", ["export", "keras_approx"])
def test_every_public_name_has_its_reference(package: str) -> None:
    text = (ROOT / "docs/api.md").read_text(encoding="utf-8")
    shown = {line.rpartition(".")[2] for line in text.splitlines() if line.startswith("::: ")}
    assert {*import_module(package).__all__} <= shown | {"masks"}
