"""Writing an export's folder: whole or not at all, and over nothing but an export."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from export.artifact import exchange
from export.artifact import folder as output
from export.artifact.folder import check_replaceable, replace_files, write_folder
from export.artifact.manifest import GENERATOR
from export.errors import OutputPathError

NAMES = (
    "CMakeLists.txt",
    "manifest.json",
    "net.c",
    "net.h",
    "net.tflite",
    "net_00_conv2d.c",
    "net_runtime.h",
)


def files(text: str, names: tuple[str, ...] = NAMES) -> dict[str, bytes]:
    """An export whose files all hold a text."""
    manifest = {"generator": {"name": GENERATOR}, "name": "net", "files": list(names), "text": text}
    return {name: text.encode() for name in names} | {"manifest.json": json.dumps(manifest).encode()}


def tree(folder: Path) -> dict[str, bytes | None]:
    """All there is below a folder, hidden things too; None for what is no file."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


def refused(folder: Path, message: str) -> None:
    """Both the early and the late check refuse a folder."""
    for attempt in (lambda: check_replaceable(folder), lambda: write_folder(folder, files("new"))):
        with pytest.raises(OutputPathError, match=message):
            attempt()


@pytest.mark.parametrize("place", ["out", "a/b/out"])
def test_a_missing_folder_is_made_with_its_parents(tmp_path: Path, place: str) -> None:
    write_folder(tmp_path / place, files("one"))
    assert tree(tmp_path / place) == files("one")
    assert [path.name for path in (tmp_path / place).parent.iterdir()] == ["out"]


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    write_folder(tmp_path / "out", files("one"))
    assert tree(tmp_path) == {"out": None} | {f"out/{name}": text for name, text in files("one").items()}


def test_an_export_is_replaced_as_a_whole(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_folder(out, files("one"))
    longer = (*NAMES, "net_01_softmax.c", "net_100_add.c")
    write_folder(out, files("two", longer))
    assert tree(out) == files("two", longer)
    write_folder(out, files("three"))
    assert tree(out) == files("three")
    assert list(tmp_path.iterdir()) == [out]


def test_the_folder_is_readable_as_any_new_folder_is(tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    write_folder(tmp_path / "out", files("one"))
    assert (tmp_path / "out").stat().st_mode == (tmp_path / "plain").stat().st_mode


def _file(path: Path) -> Path:
    path.write_text("mine")
    return path


def _link(path: Path, target: Path) -> Path:
    path.symlink_to(target, target_is_directory=True)
    return path


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda top: _file(top / "out"), "to be a folder, got a file; choose another"),
        (lambda top: _file(top / "file") / "out", "to write 'out' into, got a file; choose another"),
        (lambda top: _file(top / "file") / "a" / "out", "Not a directory"),
        (lambda top: _link(top / "out", top), "got a symbolic link; name its target"),
        (lambda top: _link(top / "out", top / "nowhere"), "got a symbolic link; name its target"),
        (lambda top: _link(top / "out", top / "out"), "got a symbolic link; name its target"),
        (lambda top: Path("/"), "expected a folder to write an export into"),
        (lambda top: top / "nul\0byte", "null byte"),
        (lambda top: top / "lone \ud800 surrogate", "surrogates not allowed"),
        (lambda top: top / ("x" * 300), "File name too long"),
        (lambda top: top / "/".join(["x" * 200] * 30), "File name too long"),
    ],
    ids=[
        *("file", "in a file", "deep in a file", "link", "dangling link", "link to itself"),
        *("root", "NUL", "surrogate", "long name", "long path"),
    ],
)
def test_what_cannot_be_a_folder_is_refused(
    tmp_path: Path, make: Callable[[Path], Path], message: str
) -> None:
    folder = make(tmp_path)
    before = tree(tmp_path)
    refused(folder, message)
    assert tree(tmp_path) == before


def test_a_folder_without_write_permission_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write anywhere
    refused(tmp_path / "out", f"no permission to write into '{tmp_path}'")
    assert tree(tmp_path) == {}


def test_a_file_system_that_takes_no_folder_is_refused() -> None:
    with pytest.raises(OutputPathError, match="cannot write the output folder"):
        write_folder(Path("/proc/out"), files("one"))


@pytest.mark.parametrize(
    "name", ["notes.txt", "net_runtime.c", "net_1_conv2d.c", "netx.c", ".hidden", "NET.c"]
)
def test_a_foreign_file_is_left_alone(tmp_path: Path, name: str) -> None:
    write_folder(tmp_path, files("one"))
    (tmp_path / name).write_text("mine")
    before = tree(tmp_path)
    refused(tmp_path, f"holds '{name}', which no earlier export wrote")
    assert tree(tmp_path) == before


@pytest.mark.parametrize("name", ["thesis.docx", "../other.c", "/etc/passwd", "net_notes.c", "net.py", "sub"])
def test_a_manifest_cannot_claim_what_no_export_writes(tmp_path: Path, name: str) -> None:
    out = tmp_path / "out"
    write_folder(out, files("one", (*NAMES, "net_00_add.c")))
    (tmp_path / "other.c").write_text("mine")
    manifest = json.loads((out / "manifest.json").read_text())
    manifest["files"].append(name)
    (out / "manifest.json").write_text(json.dumps(manifest))
    if name == "sub":
        (out / name).mkdir()
        (out / name / "mine").write_text("mine")
    elif "/" not in name:
        (out / name).write_text("mine")
    if "/" in name:  # nothing outside the folder is ever touched
        write_folder(out, files("two"))
        assert tree(out) == files("two")
        assert (tmp_path / "other.c").read_text() == "mine"
        return
    before = tree(tmp_path)
    refused(out, f"holds '{name}'")
    assert tree(tmp_path) == before


@pytest.mark.parametrize("name", ["net.c", "manifest.json"])
@pytest.mark.parametrize("kind", ["link", "folder", "fifo"])
def test_an_own_name_on_what_is_no_file_is_foreign(tmp_path: Path, name: str, kind: str) -> None:
    out = tmp_path / "out"
    write_folder(out, files("one"))
    (out / name).unlink()
    if kind == "link":
        _link(out / name, _file(tmp_path / "mine"))
    elif kind == "folder":
        (out / name).mkdir()
    else:
        os.mkfifo(out / name)  # reading it would wait for ever
    refused(out, f"holds '{name}'")


@pytest.mark.parametrize(
    "content",
    [
        *(
            "",
            "[]",
            "{}",
            "null",
            "\xff",
            "[" * 100_000,
            '{"generator": {"name": "other"}, "files": ["net.c"]}',
        ),
        '{"generator": "keras_approx", "files": ["net.c"]}',
        '{"generator": {"name": "keras_approx"}, "name": 3, "files": ["net.c"]}',
        '{"generator": {"name": "keras_approx"}, "name": "net", "files": [["net.c"]]}',
        '{"generator": {"name": "keras_approx"}, "name": ".*", "files": ["net.c", "manifest.json"]}',
    ],
    ids=lambda content: content[:20],
)
def test_a_folder_with_a_strange_manifest_is_foreign(tmp_path: Path, content: str) -> None:
    (tmp_path / "net.c").write_text("mine")
    (tmp_path / "manifest.json").write_bytes(content.encode("latin-1"))
    before = tree(tmp_path)
    refused(tmp_path, "which no earlier export wrote")
    assert tree(tmp_path) == before


class Stop(BaseException):
    """Like KeyboardInterrupt: nothing that code is expected to handle."""


def _failing(function: Callable[..., Any], call: int, error: BaseException) -> Callable[..., Any]:
    """A function whose n-th call fails."""
    calls = 0

    def wrapper(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == call:
            raise error
        return function(*arguments, **options)

    return wrapper


@pytest.mark.parametrize(
    ("owner", "function", "call", "existing"),
    [
        (os, "rename", 1, False),
        (output, "exchange", 1, True),
        (os, "rename", 1, True),
        (os, "rename", 2, True),  # between the old folder and the new one
        (Path, "write_bytes", 4, False),
        (Path, "write_bytes", 4, True),
    ],
)
@pytest.mark.parametrize(
    "error", [OSError(28, "No space left on device"), Stop("interrupted")], ids=["error", "interrupt"]
)
def test_an_interrupted_write_changes_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    owner: Any,
    function: str,
    call: int,
    existing: bool,
    error: BaseException,
) -> None:
    folder = tmp_path / "a" / "out"
    if existing:
        write_folder(folder, files("old"))
    before = tree(tmp_path)
    if owner is os:
        monkeypatch.setattr(output, "exchange", lambda one, other: False)
    monkeypatch.setattr(owner, function, _failing(getattr(owner, function), call, error))
    expected = OutputPathError if isinstance(error, OSError) else Stop
    with pytest.raises(expected, match=r"No space left on device|interrupted"):
        write_folder(folder, files("new"))
    monkeypatch.undo()
    assert tree(tmp_path) == before


def _killed_at(owner: Any, function: str, call: int, folder: Path) -> None:
    """Writes a folder in a process that is killed right after the n-th call of a function."""
    if os.fork() == 0:
        real, calls = getattr(owner, function), 0

        def wrapper(*arguments: Any, **options: Any) -> Any:
            nonlocal calls
            result = real(*arguments, **options)
            calls += 1
            if calls == call:
                os.kill(os.getpid(), 9)
            return result

        setattr(owner, function, wrapper)
        try:
            write_folder(folder, files("new"))
        finally:
            os._exit(1)
    assert os.wait()[1] == 9


@pytest.mark.parametrize(
    ("owner", "function", "call", "held"),
    [(Path, "mkdir", 2, "old"), (Path, "write_bytes", 3, "old"), (output, "exchange", 1, "new")],
)
def test_a_killed_export_leaves_the_old_files_or_the_new(
    tmp_path: Path, owner: Any, function: str, call: int, held: str
) -> None:
    out = tmp_path / "out"
    write_folder(out, files("old"))
    _killed_at(owner, function, call, out)
    assert tree(out) == files(held)
    check_replaceable(out)
    assert list(tmp_path.iterdir()) == [out]


def test_where_folders_cannot_be_exchanged_the_next_call_brings_the_old_files_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "exchange", lambda one, other: False)
    out = tmp_path / "out"
    write_folder(out, files("old"))
    _killed_at(os, "rename", 1, out)
    assert not out.exists()
    check_replaceable(out)
    assert tree(out) == files("old")
    assert list(tmp_path.iterdir()) == [out]


def test_folders_of_similar_names_are_left_alone(tmp_path: Path) -> None:
    for name in (".out-mine", output._prefix(tmp_path / "out") + "x"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "mine").touch()
    before = tree(tmp_path)
    check_replaceable(tmp_path / "out")
    assert tree(tmp_path) == before


def test_two_exports_to_one_folder_wait_for_each_other(tmp_path: Path) -> None:
    children = []
    for number in range(4):
        child = os.fork()
        if child == 0:
            try:
                for _ in range(20):
                    check_replaceable(tmp_path / "out")
                    write_folder(tmp_path / "out", files(str(number)))
                os._exit(0)
            finally:
                os._exit(1)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 4
    assert tree(tmp_path / "out") in [files(str(number)) for number in range(4)]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_an_export_that_waits_too_long_says_for_whom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "_WAIT_SECONDS", 0)
    with (
        exchange.locked(tmp_path),
        pytest.raises(OutputPathError, match="another export has been writing into"),
    ):
        write_folder(tmp_path / "out", files("new"))


@pytest.mark.parametrize("failing", [0, 1])
def test_files_are_replaced_together_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").write_bytes(b"mine")
    replace_files(tmp_path / "out", {"a": b"1", "b": b"1"})
    before = tree(tmp_path)
    assert before == {"out": None, "out/notes.txt": b"mine", "out/a": b"1", "out/b": b"1"}
    write, calls = Path.write_bytes, []

    def full(self: Path, content: bytes) -> int:
        calls.append(self)
        if len(calls) > failing:
            raise OSError(28, "No space left on device")
        return write(self, content)

    monkeypatch.setattr(Path, "write_bytes", full)
    for folder in (tmp_path / "out", tmp_path / "parent" / "new"):
        calls.clear()
        with pytest.raises(OutputPathError, match="No space left"):
            replace_files(folder, {"a": b"2", "b": b"2"})
        assert tree(tmp_path) == before


def test_files_replace_no_folder(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    with pytest.raises(OutputPathError, match="got a folder"):
        replace_files(tmp_path, {"a": b"2", "b": b"2"})
    assert tree(tmp_path) == {"b": None}
