"""Text from outside, safe to show in a terminal."""

from __future__ import annotations

WIDTH = 80


def printable(value: str | bytes, width: int = WIDTH) -> str:
    """A part of a text, or of bytes, with every character escaped that would not show as itself."""
    text = value[: width + 4].decode(errors="backslashreplace") if isinstance(value, bytes) else value
    shown = "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text[:width]
    )
    return shown + ("…" if len(value) > width else "")
