"""C text: comments and tables. Whatever comes from a model passes through `comment` or is a number."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

WIDTH = 116


def comment_text(text: str, limit: int = 60) -> str:
    """A name from a model as it may stand in a comment: ASCII letters, digits and a few signs, of limited length.

    Everything else becomes `_`, question marks too: two of them before a slash are a trigraph, a backslash.
    """
    safe = "".join(c if c.isascii() and (c.isalnum() or c in " _-.:;/+=()[],") else "_" for c in text)
    return safe if len(safe) <= limit else safe[: limit - 3] + "..."


def comment(lines: Iterable[str]) -> str:
    """A block comment; the text must hold no comment end."""
    body = list(lines)
    if any("*/" in line or "\\" in line for line in body):
        raise ValueError("comment end or backslash in a comment")
    return "/* " + "\n * ".join(body) + "\n */\n"


def table(ctype: str, name: str, values: Sequence[int], *, hexadecimal: bool = False) -> str:
    """A constant array."""
    items = [f"0x{value:08x}" if hexadecimal else str(value) for value in values]
    lines, line = [], "   "
    for item in items:
        if len(line) + len(item) + 2 > WIDTH:
            lines.append(line)
            line = "   "
        line += f" {item},"
    lines.append(line)
    body = "\n".join(lines)
    return f"static const {ctype} {name}[{len(items)}] = {{\n{body}\n}};\n"


def quoted(text: str) -> str:
    """A string literal of UTF-8 bytes; all but plain ASCII is escaped, and question marks, which could be a trigraph.

    Octal escapes have three digits, so that none takes in what follows.
    """
    kept = set(range(0x20, 0x7F)) - set(b'"\\?')
    return '"' + "".join(chr(b) if b in kept else f"\\{b:03o}" for b in text.encode("utf-8")) + '"'


def string_table(name: str, size: str, texts: Sequence[str]) -> str:
    """A public constant array of strings."""
    lines = "".join(f"    {quoted(text)},\n" for text in texts)
    return f"const char *const {name}[{size}] = {{\n{lines}}};\n"


def indent(text: str) -> str:
    """Indents non-empty lines by four spaces."""
    return "".join(f"    {line}" if line.strip() else line for line in text.splitlines(keepends=True))
