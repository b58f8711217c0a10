"""Runs cases of a kind, each from a seed of its own, in a process of its own, with limits; keeps what they find."""

from __future__ import annotations

import os
import resource
import select
import signal
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

Case = Callable[[np.random.Generator], str]
"""Tries one thing. Returns in a word how it ended ("refused", "exact", ...); any exception is a finding."""


@dataclass(frozen=True)
class Kind:
    """One way to attack.

    Attributes:
        name: As the command line takes it.
        case: What is tried.
        seconds: Of processor time that a case may take; compilers it starts do not count.
        waited: Seconds that may pass in all, on a machine that has other work too.
        megabytes: Of memory that a case may take beside what the process has; None for no limit.
        prepare: Makes what its cases share, before the first.
    """

    name: str
    case: Case
    seconds: int = 60
    megabytes: int | None = 2000
    waited: float = 900
    prepare: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class Finding:
    kind: str
    seed: int
    what: str

    def __str__(self) -> str:
        again = f"python -m tests.fuzz --kind {self.kind} --case {self.seed}"
        return f"{self.kind} {self.seed}: {self.what}\n  again: {again}"


@dataclass
class Tally:
    """What a kind's cases came to.

    Attributes:
        endings: How often each word came.
        findings: Cases that ended otherwise.
        slowest: Seconds of the slowest case.
    """

    endings: dict[str, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    slowest: float = 0.0

    @property
    def cases(self) -> int:
        return sum(self.endings.values()) + len(self.findings)


def run_case(kind: Kind, seed: int) -> tuple[str, Finding | None, float]:
    """Runs a case in a child process.

    Returns:
        How it ended, the finding or None, and its seconds.
    """
    reader, writer = os.pipe()
    start = time.monotonic()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _run_child(kind, seed, writer)
    os.close(writer)
    text, ended = b"", False
    while not ended:
        left = start + kind.waited - time.monotonic()
        ready = select.select([reader], [], [], max(0.0, left))[0]
        if not ready:
            break
        part = os.read(reader, 1 << 16)
        text, ended = text + part, not part
    os.close(reader)
    if not ended:
        os.killpg(child, signal.SIGKILL)
    _, status, used = os.wait4(child, 0)
    seconds = time.monotonic() - start
    if not ended:
        worked = used.ru_utime + used.ru_stime
        what = f"not finished after {kind.waited:g} seconds, in which it worked {worked:.1f}"
        return "", Finding(kind.name, seed, what), seconds
    word, _, said = text.decode(errors="replace").partition("\n")
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        what = (
            f"more than {kind.seconds} seconds of work"
            if number == signal.SIGXCPU
            else f"ended by signal {number}"
        )
        return "", Finding(kind.name, seed, what), seconds
    if status != 0 or not word:
        return "", Finding(kind.name, seed, said or f"ended with status {status}"), seconds
    return word, None, seconds


def _run_child(kind: Kind, seed: int, writer: int) -> None:
    os.setpgid(0, 0)
    status = 1
    silent = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(silent, descriptor)
    try:
        used = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
        resource.setrlimit(resource.RLIMIT_CPU, (int(used) + kind.seconds + 1, resource.RLIM_INFINITY))
        if kind.megabytes is not None:
            pages = int(open("/proc/self/statm").read().split()[0])  # noqa: SIM115 - the process ends soon
            limit = pages * os.sysconf("SC_PAGE_SIZE") + (kind.megabytes << 20)
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        word = kind.case(np.random.default_rng(seed))
        os.write(writer, f"{word}\n".encode())
        status = 0
    except BaseException as error:
        trace = traceback.extract_tb(error.__traceback__)
        where = "; ".join(f"{os.path.basename(frame.filename)}:{frame.lineno}" for frame in trace[-4:])
        os.write(writer, f"\n{type(error).__name__}: {str(error)[:600]} ({where})".encode(errors="replace"))
    finally:
        os._exit(status)


def run_campaign(
    kinds: list[Kind], seed: int, seconds: float, say: Callable[[str], None], most: int | None = None
) -> dict[str, Tally]:
    """Runs cases of all kinds by turns until the time is over.

    Args:
        kinds: What to try.
        seed: Cases follow from it and their number.
        seconds: For all together.
        say: Told of each finding when it comes.
        most: Cases of each kind, at most.

    Returns:
        The tallies by kind.
    """
    for kind in kinds:
        kind.prepare()
    tallies = {kind.name: Tally() for kind in kinds}
    spent = dict.fromkeys(tallies, 0.0)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        open_kinds = [kind for kind in kinds if most is None or tallies[kind.name].cases < most]
        if not open_kinds:
            break
        kind = min(open_kinds, key=lambda kind: spent[kind.name])  # each has its share of the time
        tally = tallies[kind.name]
        case_seed = seed * 1_000_000 + tally.cases
        word, finding, taken = run_case(kind, case_seed)
        spent[kind.name] += taken
        tally.slowest = max(tally.slowest, taken)
        if finding is None:
            tally.endings[word] = tally.endings.get(word, 0) + 1
        else:
            tally.findings.append(finding)
            say(str(finding))
    return tallies


def table(tallies: dict[str, Tally]) -> str:
    """The tallies, a line a kind."""
    lines = [f"{'kind':<12} {'cases':>8} {'findings':>9} {'slowest':>8}  endings"]
    for name, tally in tallies.items():
        endings = ", ".join(f"{count} {word}" for word, count in sorted(tally.endings.items()))
        lines.append(
            f"{name:<12} {tally.cases:>8,} {len(tally.findings):>9} {tally.slowest:>6.1f} s  {endings}"
        )
    return "\n".join(lines)
