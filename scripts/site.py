"""What mkdocs does to a page besides rendering it: links into the repository become links to its files on the web.

A page says `../export/targets/timing.py`, which a reader of the repository can follow; the site has no such file. The
repository's address on the web is the `url` of setup.cfg. While it has none, such links become plain text. A link to a
file that does not exist is a warning, and so an error of `make docs`.
"""

from __future__ import annotations

import configparser
import logging
import posixpath
import re
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parents[1]
_LINK = re.compile(r"\[([^\]]*)\]\((\.\./[^)#\s]*)(#[^)\s]*)?\)")
_LOG = logging.getLogger("mkdocs.plugins.site")


def repository() -> str | None:
    """The repository's address on the web, if it has one."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(_ROOT / "setup.cfg", encoding="utf-8")
    return parser.get("metadata", "url", fallback=None)


def on_config(config: Any, **_: Any) -> Any:
    """Shows the repository's address on every page, if it has one."""
    if address := repository():
        config.repo_url, config.repo_name = address, config.site_name
    return config


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Rewrites links that leave the folder of the documentation."""
    folder, address = posixpath.dirname(f"docs/{page.file.src_uri}"), repository()

    def rewritten(match: re.Match[str]) -> str:
        text, target, anchor = match.groups()
        path = posixpath.normpath(posixpath.join(folder, target))
        if path.startswith("docs/"):
            return match.group(0)
        if not (_ROOT / path).exists():
            _LOG.warning("%s links to %s, which does not exist", page.file.src_uri, path)
        return f"[{text}]({address}/blob/main/{path}{anchor or ''})" if address else text

    return _LINK.sub(rewritten, markdown)
