"""Code blocks of the documentation run, with what their page names and nothing else."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from export import to_c
from scripts import page_types
from tests.export.models.bench import Bench, lstm
from tests.export.models.networks import small_classifier
from tests.pages import blocks, given

ROOT = blocks.ROOT
PAGES = ["README.md", "CONTRIBUTING.md", "examples/README.md"]
PAGES += sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("docs/**/*.md"))
WITH_BLOCKS = [page for page in PAGES if {*blocks.languages(page)} - blocks.NOT_CODE]
OTHERWISE = {
    "docs/c_interface.md": "declarations, compared with headers below",
    "docs/commands.md": "a minute on the way of docs/start.md; tests of commands parse its lines",
    "docs/options.md": "written by the parsers; tests of commands parse its examples",
}
NAMES: dict[str, Callable[[], dict[str, Any]]] = {
    "README.md": given.for_elimination,
    "docs/start.md": given.for_start,
    "docs/howto/gpu.md": given.for_a_strategy,
    "docs/howto/eliminate_or_fine_tune.md": given.for_several_outputs,
}


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in WITH_BLOCKS if page not in OTHERWISE])
def test_the_blocks_of_a_page_run(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    given.write_files(tmp_path)
    document = blocks.parse(page)
    examples = list(document.examples())
    assert len(examples) == len([name for name in blocks.languages(page) if name not in blocks.NOT_CODE])
    document.namespace.update(NAMES.get(page, dict)())
    for example in examples:
        example.evaluate()


def test_types_are_checked_of_every_page_with_python() -> None:
    found = dict(page_types.sources())
    assert {page for page in WITH_BLOCKS if "python" in blocks.languages(page)} <= {*found}
    assert sum(page.endswith(".ipynb") for page in found) == len(list(ROOT.glob("docs/tutorials/*.ipynb")))
    for page, code in found.items():
        lines = (ROOT / page).read_text(encoding="utf-8").splitlines()
        if page.endswith(".md"):
            assert all(line in ("", there) for line, there in zip(code.splitlines(), lines, strict=False)), (
                page
            )


def test_pages_that_are_told_apart_have_blocks() -> None:
    assert {*OTHERWISE, *NAMES} <= {*WITH_BLOCKS}


@pytest.mark.parametrize("page", PAGES)
def test_names_of_a_page_exist(page: str) -> None:
    """Dotted names, scripts and targets of `make` in running text."""
    text = (ROOT / page).read_text(encoding="utf-8")
    for dotted in re.findall(r"`((?:keras_approx|export)(?:\.\w+)+)", text):
        _find(dotted)
    for module in re.findall(r"`python -m ([\w.]+)", text):
        assert importlib.util.find_spec(module) is not None, module
    for path in re.findall(
        r"`(?:python )?((?:benchmarks|examples|scripts|export|keras_approx|tests)/[\w/.]*)`", text
    ):
        assert (ROOT / path).exists(), path
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"`make ([\w-]+)", text):
        assert f"\n{target}:" in makefile, target


def _find(dotted: str) -> None:
    found: Any = importlib.import_module(dotted.partition(".")[0])
    for number, name in enumerate(dotted.split(".")[1:], 2):
        found = getattr(found, name, None) or importlib.import_module(".".join(dotted.split(".")[:number]))


def test_the_c_interface_is_that_of_headers(tmp_path: Path) -> None:
    """Declarations and macros, of a classifier and of a network with states."""
    to_c(small_classifier(), tmp_path / "out", layout="plain", class_names=list("abcd"))
    bench = Bench()
    to_c(bench.builder.finish(bench.s, lstm(bench, bench.s, 5)), tmp_path / "kept", layout="plain")
    sources = [*tmp_path.glob("*/model.h"), *tmp_path.glob("*/model.c")]
    written = " ".join(path.read_text(encoding="utf-8") for path in sources)
    text = (ROOT / "docs/c_interface.md").read_text(encoding="utf-8")
    declared = re.findall(r"^(?:int|void) \w+\(.*?\);", text, re.MULTILINE)
    assert len(declared) == 6
    for declaration in declared:
        assert declaration in written
    named = {name for name in re.findall(r"\b(?:MODEL|model)_\w+", text) if "input_image" not in name.lower()}
    assert len(named) > 20
    assert {name for name in named if not re.search(rf"\b{name}\b", written)} <= {
        "model_inputs",
        "model_outputs",
    }
