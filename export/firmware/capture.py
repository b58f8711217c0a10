"""What firmware printed, read back from a capture of its serial output."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from export.errors import InputError
from keras_approx.text import plural

_LARGEST = 16 << 20  # bytes
_SHOWN = 80  # letters of a line in a message
_HEAD = re.compile(
    r"keras_approx firmware of (?P<network>\w+) \((?P<digest>[0-9a-f]{12})\) for (?P<board>[a-z0-9-]+)"
)
_CLOCK = re.compile(r"clock: ([0-9]{1,15}) Hz")
_FLASH = re.compile(r"flash: (prefetch|no prefetch), wait states ([0-9]{1,15})")
_WARNING = re.compile(r"warning: (.+)")
_SAMPLE = re.compile(r"sample ([0-9]{1,15}): (PASS|FAIL.*)")
_LAYER = re.compile(r"layer ([0-9]{1,15}): ([0-9]{1,15}) cycles")
_TOTAL = re.compile(r"total: ([0-9]{1,15}) cycles")
_CACHE = re.compile(r"cache of layer ([0-9]{1,15}): hits ([0-9]{1,15}), misses ([0-9]{1,15})(?: or more)?")
_STACK = re.compile(r"stack: ([0-9]{1,15}) bytes")
_DONE = re.compile(r"done: (PASS|FAIL)")
_UNCOUNTED = "the core counts no cycles"
_HOW = "capture it at 115200 baud, 8N1, from reset until it prints `done`"


@dataclass
class Sample:
    """One inference.

    Attributes:
        verdict: "PASS", or "FAIL" and what is wrong.
        layers: Cycles by layer.
        cycles: Of the whole inference.
    """

    verdict: str
    layers: list[int] = field(default_factory=list)
    cycles: int | None = None


@dataclass
class Capture:
    """A whole run of a firmware.

    Attributes:
        network: Name of the network.
        digest: Identifies its export.
        board: Name of the board.
        clock_hz: The core's clock.
        prefetch: Whether the flash prefetched.
        wait_states: Of the flash.
        warnings: What the firmware could not set up.
        samples: In the order in which they ran.
        hits: Of the instruction cache by layer; empty where nothing counts them.
        misses: Likewise; 65,535 stands for more.
        stack_bytes: The deepest the stack was.
    """

    network: str
    digest: str
    board: str
    clock_hz: int = 0
    prefetch: bool = False
    wait_states: int = 0
    warnings: list[str] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    hits: list[int] = field(default_factory=list)
    misses: list[int] = field(default_factory=list)
    stack_bytes: int = 0

    @property
    def passed(self) -> bool:
        """Whether every output byte of every sample was right."""
        return all(sample.verdict == "PASS" for sample in self.samples)

    @property
    def counted(self) -> bool:
        """Whether the core counted cycles."""
        return _UNCOUNTED not in self.warnings


def read_capture(path: str | Path) -> Capture:
    """Reads a file of serial output; the last whole run in it counts.

    Raises:
        InputError: The file cannot be read, holds no run, or a run that ended early or was garbled.
    """
    try:
        with Path(path).open("rb") as file:
            content = file.read(_LARGEST + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or error
        raise InputError(
            f"cannot read the capture {str(path)!r}: {reason}; give the file that the serial port's output was saved to"
        ) from error
    if len(content) > _LARGEST:
        raise InputError(f"expected a capture of at most {_LARGEST:,} bytes, got a longer {str(path)!r}")
    return parse_capture(content.decode("ascii", "replace"), str(path))


def parse_capture(text: str, where: str = "capture") -> Capture:
    """Reads serial output.

    Args:
        text: What came; other text before the run and behind it is passed over.
        where: Name of the capture, for messages.

    Raises:
        InputError: It holds no whole run, or a garbled one.
    """
    lines = [line.strip() for line in text.splitlines()]
    starts = [number for number, line in enumerate(lines) if _HEAD.fullmatch(line)]
    if not starts:
        strange = sum(not letter.isprintable() and letter not in "\r\n\t" for letter in text) + text.count(
            "�"
        )
        noise = "; most of it is no text, as at another baud rate" if strange > len(text) // 4 else ""
        raise InputError(
            f"expected the output of a keras_approx firmware in {where}, got {plural(len(lines), 'line')} "
            f"without its first one{noise}: {_HOW}"
        )
    head = _HEAD.fullmatch(lines[starts[-1]])
    assert head is not None
    capture = Capture(head["network"], head["digest"], head["board"])
    for number in range(starts[-1] + 1, len(lines)):
        line = lines[number]
        if line.startswith("fault"):
            raise InputError(f"{where}, line {number + 1}: the firmware stopped with a {line[:200]}")
        if done := _DONE.fullmatch(line):
            _check(capture, done[1], where)
            return capture
        if line and not _take(capture, line):
            raise InputError(
                f"{where}, line {number + 1}: expected a line of the firmware, got {line[:_SHOWN]!r}; {_HOW}"
            )
    raise InputError(f"{where} ends before the firmware had printed `done`: {_HOW}")


def _take(capture: Capture, line: str) -> bool:
    """Reads one line into the capture; returns whether it is one of the firmware's, in its place."""
    last = capture.samples[-1] if capture.samples else None
    if match := _CLOCK.fullmatch(line):
        capture.clock_hz = int(match[1])
    elif match := _FLASH.fullmatch(line):
        capture.prefetch, capture.wait_states = match[1] == "prefetch", int(match[2])
    elif match := _WARNING.fullmatch(line):
        capture.warnings.append(match[1])
    elif match := _SAMPLE.fullmatch(line):
        if int(match[1]) != len(capture.samples):
            return False
        capture.samples.append(Sample(match[2]))
    elif match := _LAYER.fullmatch(line):
        if last is None or last.cycles is not None or int(match[1]) != len(last.layers):
            return False
        last.layers.append(int(match[2]))
    elif match := _TOTAL.fullmatch(line):
        if last is None or last.cycles is not None:
            return False
        last.cycles = int(match[1])
    elif match := _CACHE.fullmatch(line):
        if int(match[1]) != len(capture.hits):
            return False
        capture.hits.append(int(match[2]))
        capture.misses.append(int(match[3]))
    elif match := _STACK.fullmatch(line):
        capture.stack_bytes = int(match[1])
    else:
        return False
    return True


def _check(capture: Capture, verdict: str, where: str) -> None:
    """Makes sure nothing of a run is missing.

    Raises:
        InputError: Something is.
    """
    if not capture.samples:
        raise InputError(f"expected at least one sample in {where}, got none; {_HOW}")
    if not capture.clock_hz:
        raise InputError(f"{where} does not say which clock the firmware ran at; {_HOW}")
    if (verdict == "PASS") != capture.passed:
        raise InputError(f"{where} ends with {verdict}, and its samples say otherwise; {_HOW}")
    ran = [
        sample for sample in capture.samples if not sample.verdict.startswith("FAIL: the network returned")
    ]
    if capture.counted and any(sample.cycles is None or not sample.layers for sample in ran):
        raise InputError(f"cycles of layers are missing in {where}; {_HOW}")
    if len({len(sample.layers) for sample in ran}) > 1:
        raise InputError(f"{where} has samples of different numbers of layers; {_HOW}")
