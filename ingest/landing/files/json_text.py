"""JSON: a message a line, a list of messages, or messages written over several lines; each with its own bytes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import msgspec

from ingest.events import FIELDS, UNREADABLE
from ingest.landing.files.compressed import Content
from ingest.landing.files.encodings import (
    BOM,
    as_bytes,
    encoding_of,
    marked_encoding,
    require_text,
    text_lines,
    utf8_chunks,
)
from ingest.landing.files.rows import FileOptions, Row, SourceError

UTF8_BOM = BOM.encode()

# a string, where it is whole, or what opens and closes
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|["\[\]{}]', re.DOTALL)
_NOTHING = frozenset([b"[]", b"{}", b"null", b"false", b"true", b"0"])
_object_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])
_list_decoder = msgspec.json.Decoder(list[msgspec.Raw])


class JsonText:
    """A file of JSON messages. Its first bytes say which of the forms it has."""

    columns = None
    text_columns = ()
    header = None

    def __init__(self, content: Content, options: FileOptions) -> None:
        self.path: Path = content.path
        self.remarks: list[str] = []
        self._content = content
        head = content.head()
        # JSON begins with ASCII, so another encoding than UTF-8 shows in its first bytes
        is_wide = (b"\0" in head[:4] or not head[:4].isascii()) and marked_encoding(head)
        if options.encoding or is_wide:
            self._encoding = encoding_of(content, options.encoding, self.remarks)
        else:  # a message that is not UTF-8 costs itself only
            if head.lstrip(b" \r\n\t")[:1] not in (b"{", b"["):
                require_text(content, head)
            self._encoding = "utf-8"
        start = as_utf8(head, self._encoding).removeprefix(UTF8_BOM).lstrip()
        self._is_list = bool(re.match(rb"\[\s*[{\]]", start))
        first_line = start.partition(b"\n")[0].strip()
        self._is_lines = not self._is_list and (content.ending != ".json" or _is_message(first_line))
        if not re.search(rb"[{\[]", start) and re.search(rb"[,;\t|]", first_line):
            raise SourceError(f"{self.path}: holds no JSON, but a table of text. Name it .csv.")
        self._is_empty = start.strip() == b"null" or _wrapped(start) == []
        self.encoding = self._encoding if self._is_lines else "utf-8"

    def rows(self, skipped: Counter[str]) -> Iterator[Row]:
        """See EventFile. Blank lines hold no message. A row of a list is numbered by its place there."""
        if self._is_empty:
            return
        if not self._is_lines:
            values = json_values(utf8_chunks(self._content, self._encoding), self.path, self._is_list)
            messages = values if self._is_list else chain.from_iterable(map(_messages, values))
            yield from (Row(number, message, message) for number, message in enumerate(messages, start=1))
        elif self._encoding == "utf-8":
            yield from self._utf8_lines()
        else:
            for number, text in enumerate(text_lines(self._content, self._encoding), start=1):
                line = text.rstrip("\r\n")
                if line.strip():
                    yield Row(number, line.encode("utf-8", "surrogatepass"), as_bytes(line, self._encoding))

    def _utf8_lines(self) -> Iterator[Row]:
        with self._content.open() as file:
            first = file.readline().removeprefix(UTF8_BOM)
            for number, line in enumerate(chain([first], file), start=1):
                raw = line.rstrip(b"\r\n")
                if raw.strip():
                    yield Row(number, raw, raw)


def json_values(chunks: Iterable[bytes], path: Path, is_list: bool) -> Iterator[bytes]:
    """The values in a list, or those that follow each other without one, each as it stood.

    Text between them that is no list or object is a value, too. Raises SourceError where a list ends in the middle;
    what is cut off is not yielded.
    """
    outside = 1 if is_list else 0
    depth, start, position, buffer = 0, 0, 0, b""
    for chunk in chunks:
        buffer = buffer[start:] + chunk
        position, start = position - start, 0
        for token in _TOKEN.finditer(buffer, position):
            mark = token[0]
            if mark == b'"':  # a string that goes on in the next chunk
                position = token.start()
                break
            position = token.end()
            if mark in (b"{", b"["):
                if depth <= outside:
                    yield from _between(buffer[start : token.start()])
                    start = token.end() if depth < outside else token.start()
                depth += 1
            elif mark in (b"}", b"]"):
                depth = max(depth - 1, 0)
                if depth == outside:
                    yield buffer[start : token.end()]
                    start = token.end()
                elif depth < outside:
                    yield from _between(buffer[start : token.start()])
                    start = token.end()
    if depth and is_list:
        raise SourceError(f"{path}: the list is never closed: its end is missing, or a quote in it. Write it again.")
    yield from _between(buffer[start:])


def _between(text: bytes) -> Iterator[bytes]:
    value = text.removeprefix(UTF8_BOM).strip(b" \t\r\n,")
    if value:
        yield value


def _messages(value: bytes) -> list[bytes]:
    """The messages in an object like {"events": [...]}; any other value is one by itself."""
    wrapped = _wrapped(value)
    return [value] if wrapped is None else wrapped


def _wrapped(value: bytes) -> list[bytes] | None:
    """The messages in an object that is none itself: just one of its values is a list of objects, or each is empty."""
    lists = []
    try:
        values = _object_decoder.decode(value)
        if not values.keys().isdisjoint(FIELDS):
            return None
        members = list(map(bytes, values.values()))
        for member in members:
            messages = [bytes(message) for message in _list_decoder.decode(member)] if member[:1] == b"[" else []
            if messages and all(message[:1] == b"{" for message in messages):
                lists.append(messages)
    except UNREADABLE:
        return None
    # the last page of an interface: {"count": 0, "next": null, "events": []}; any event has a text or a number
    compact = [b"".join(member.split()) for member in members]
    if compact == [b"null"] or (b"[]" in compact and _NOTHING.issuperset(compact)):
        return []
    return lists[0] if len(lists) == 1 else None


def _is_message(line: bytes) -> bool:
    """Whether a line is an object by itself, and wraps no others."""
    try:
        _object_decoder.decode(line)
    except UNREADABLE:
        return False
    return _wrapped(line) is None


def as_utf8(head: bytes, encoding: str) -> bytes:
    """The first bytes of a file in UTF-8."""
    return head if encoding == "utf-8" else head.decode(encoding, "replace").encode()
