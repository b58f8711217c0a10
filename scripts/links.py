"""Asks for every address on the web that a page names: `make links`, or `python scripts/links.py`.

Prints those that do not answer and where they stand. It is no part of `make docs`, whose result must not hang on other
people's servers; that command checks links within the repository.
"""

from __future__ import annotations

import http.client
import re
import subprocess
import sys
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]
_PAGES = ("*.md", "*.ipynb", "*.cff", "setup.cfg")
_ADDRESS = re.compile(r"https?://[^\s<>\"'`\\)\]]+")
_SECONDS = 20
_ALIVE = frozenset({401, 403, 405, 429})  # the server answers, but not to programs


def addresses() -> dict[str, list[str]]:
    """Every address that a page of the repository names, and the places where it stands: `file:line`."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", *_PAGES], cwd=_ROOT, capture_output=True, text=True, check=True
    )
    found: dict[str, list[str]] = {}
    for name in filter(None, listed.stdout.split("\0")):
        for number, line in enumerate((_ROOT / name).read_text(encoding="utf-8").splitlines(), 1):
            for address in _ADDRESS.findall(line):
                found.setdefault(address.rstrip(".,;:"), []).append(f"{name}:{number}")
    return found


def answer(address: str) -> str | None:
    """What is wrong with an address; None if its page is there."""
    try:
        request = urllib.request.Request(address, headers={"User-Agent": "Mozilla/5.0 (link check)"})
        with urllib.request.urlopen(request, timeout=_SECONDS):
            return None
    except urllib.error.HTTPError as error:
        return None if error.code in _ALIVE else f"{error.code} {error.reason}"
    except (OSError, ValueError, http.client.HTTPException) as error:
        return str(getattr(error, "reason", error))


def main() -> int:
    found = addresses()
    with ThreadPoolExecutor(8) as pool:
        answers = dict(zip(found, pool.map(answer, found), strict=True))
    broken = {address: problem for address, problem in answers.items() if problem}
    if broken and len(broken) == len(found):
        print(
            f"none of {len(found)} addresses answers ({next(iter(broken.values()))}): is there a way to the web?"
        )
        return 1
    for address, problem in broken.items():
        print(f"{address}: {problem}\n    {', '.join(found[address])}")
    print(f"{len(found) - len(broken)} of {len(found)} addresses answer")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
