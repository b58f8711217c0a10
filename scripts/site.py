"""What mkdocs does to a page besides rendering it: links into the repository become links to its files on the web.

A page says `../export/targets/timing.py`, which a reader of the repository can follow; the site has no such file. A
link to a file that does not exist is a warning, and so an error of `make docs`.
"""

from __future__ import annotations

import logging
import posixpath
import re
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parents[1]
_LINK = re.compile(r"\]\((\.\./[^)#\s]*)(#[^)\s]*)?\)")
_LOG = logging.getLogger("mkdocs.plugins.site")


def on_page_markdown(markdown: str, *, page: Any, config: Any, **_: Any) -> str:
    """Rewrites links that leave the folder of the documentation."""
    folder = posixpath.dirname(f"docs/{page.file.src_uri}")

    def rewritten(match: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(folder, match.group(1)))
        if path.startswith("docs/"):
            return match.group(0)
        if not (_ROOT / path).exists():
            _LOG.warning("%s links to %s, which does not exist", page.file.src_uri, path)
        return f"]({config['repo_url']}/blob/main/{path}{match.group(2) or ''})"

    return _LINK.sub(rewritten, markdown)
