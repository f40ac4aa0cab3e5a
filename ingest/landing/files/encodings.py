"""Bytes to text: which encoding a file is in, and its lines."""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterator
from contextlib import suppress

from ingest.landing.files.compressed import DAMAGE, Content, format_of
from ingest.landing.files.rows import SourceError

BOM = "\ufeff"
BOMS = {  # the mark of UTF-32 begins with that of UTF-16
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
# Damage and fixed-width fields leave NUL in text, which costs a line. Binary data has other control characters, too.
_CONTROLS = re.compile(rb"[\x01-\x08\x0e-\x1a\x1c-\x1f]")
_CONTROLS_IN_TEXT = 0.05
FEW, MOST = 0.1, 0.9  # of the characters in the first bytes of a file

_MULTIBYTE = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
# bytes that Windows-1252 does not have, or three letters beyond ASCII in a row, as no Western language writes them
_NOT_WESTERN = re.compile(rb"[\x81\x8d\x8f\x90\x9d]|[\x80-\x9f\xa1-\xff]{3}")


def encoding_of(content: Content, wanted: str | None, remarks: list[str]) -> str:
    """The encoding of a text file; a remark says so where it is neither UTF-8 nor what its first bytes say.

    Raises SourceError where it is no text, or in an encoding that only the user can know.
    """
    head = content.head(4096)
    marked = marked_encoding(head)
    if wanted is not None:
        return _known(content, wanted, marked)
    if marked is None:
        require_text(content, head)
        return _utf8_or_western(content, remarks)
    if marked != "utf-8":
        remarks.append(f"read as {marked.upper()}, as its first bytes say")
    return marked


def marked_encoding(head: bytes) -> str | None:
    """The encoding that the first bytes of a text show: by a byte order mark, or by where the NULs of UTF-16 and UTF-32
    stand. A few NULs anywhere show none."""
    for bom, encoding in BOMS.items():
        if head.startswith(bom):
            return encoding
    if b"\0" not in head or format_of(head):
        return None
    places = max(len(head) // 4, 1)
    nuls = [head[place::4].count(0) / places for place in range(4)]
    even, odd = nuls[0] + nuls[2], nuls[1] + nuls[3]
    if min(nuls[2:]) > MOST and nuls[0] < FEW:
        encoding = "utf-32-le"
    elif min(nuls[:2]) > MOST and nuls[3] < FEW:
        encoding = "utf-32-be"
    elif max(even, odd) > FEW and min(even, odd) < FEW * max(even, odd):
        encoding = "utf-16-le" if odd > even else "utf-16-be"
    else:
        return None
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(head)
    except UnicodeDecodeError:
        return None
    return None if _is_binary(text.encode()) else encoding


def require_text(content: Content, head: bytes) -> None:
    """Raises SourceError where the first bytes are no text, in UTF-8 or an encoding that has a byte for each letter."""
    found = format_of(head)
    if found or (b"\0" in head and _is_binary(head.replace(b"\0", b""))):
        what = f", but {found.name}. Name it {found.ending}" if found else ". Name a file by its format, .parquet say"
        raise SourceError(f"{content.path}: is no text{what}.")


def _is_binary(head: bytes) -> bool:
    return len(_CONTROLS.findall(head)) >= _CONTROLS_IN_TEXT * len(head)


def text_lines(content: Content, encoding: str) -> Iterator[str]:
    """The lines with their endings (LF, CR LF or CR), without a byte order mark. What is not in the encoding becomes
    what `as_bytes` turns back."""
    with content.open() as file:
        text = io.TextIOWrapper(file, encoding, _errors(encoding), newline="")
        try:
            for number, line in enumerate(text):
                yield line.removeprefix(BOM) if number == 0 else line
        except UnicodeError as error:
            raise SourceError(
                f"{content.path}: is not in {encoding} ({error}). Name its encoding with --encoding."
            ) from error


def as_bytes(text: str, encoding: str) -> bytes:
    """The bytes of a text in a file of this encoding."""
    return text.encode(encoding, _errors(encoding))


def as_utf8(raw: bytes, encoding: str) -> bytes:
    """Bytes of a file of this encoding in UTF-8; those that are not in the encoding stay as they are."""
    return raw if encoding == "utf-8" else raw.decode(encoding, _errors(encoding)).encode(errors="surrogateescape")


def utf8_chunks(content: Content, encoding: str) -> Iterator[bytes]:
    """The content in UTF-8, in pieces."""
    if encoding == "utf-8":
        yield from content.chunks()
        return
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    for chunk in content.chunks():
        yield decoder.decode(chunk).encode()


def _errors(encoding: str) -> str:
    return "strict" if encoding.startswith(("utf-16", "utf-32")) else "surrogateescape"


def _known(content: Content, wanted: str, marked: str | None) -> str:
    try:
        name = codecs.lookup(wanted).name
        "a".encode(name, "surrogateescape").decode(name, "surrogateescape")
    except (LookupError, UnicodeError):  # hex, zlib and their kin turn bytes into bytes
        raise SourceError(
            f"{content.path}: no encoding of text is named {wanted}. "
            "Say --encoding utf-8, utf-16, windows-1252 or another."
        ) from None
    if name in ("utf-16", "utf-32", "utf-8-sig"):
        return marked or {"utf-16": "utf-16-le", "utf-32": "utf-32-le"}.get(name, "utf-8")
    return name


def _utf8_or_western(content: Content, remarks: list[str]) -> str:
    decoder = codecs.getincrementaldecoder("utf-8")()
    is_utf8, has_multibyte, not_western, before = True, False, False, b""
    with suppress(*DAMAGE):  # the reader of the rows reports it
        for chunk in content.chunks():
            try:
                if is_utf8:
                    decoder.decode(chunk)
            except UnicodeDecodeError:
                is_utf8 = False
            if not chunk.isascii():
                has_multibyte = has_multibyte or bool(_MULTIBYTE.search(chunk))
                not_western = not_western or bool(_NOT_WESTERN.search(before + chunk))
            before = chunk[-2:]
    if is_utf8 or has_multibyte:  # with lines in it that are not: the reader of the rows sets them apart
        return "utf-8"
    if not_western:
        raise SourceError(
            f"{content.path}: is not UTF-8, and its encoding is not recognised. Say --encoding windows-1251, "
            "cp437, shift_jis or what it was written in."
        )
    remarks.append("is not UTF-8: read as Windows-1252; if letters are wrong, --encoding names another")
    return "windows-1252"
