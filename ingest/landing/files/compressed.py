"""The content of a file, compressed or not."""

from __future__ import annotations

import gzip
import shutil
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePath
from tempfile import TemporaryFile
from typing import IO, BinaryIO, NamedTuple, cast

from ingest.landing.files.rows import SourceError

CHUNK = 1 << 20
DAMAGE = (EOFError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile)


class Format(NamedTuple):
    """What a file is by its first bytes, and what its name ends in then."""

    magic: bytes
    name: str
    ending: str


GZIP = Format(b"\x1f\x8b", "a gzip archive", ".gz")
ZIP = Format(b"PK\x03\x04", "a zip archive", ".zip")
EXCEL = Format(ZIP.magic, "an Excel workbook", ".xlsx")
PARQUET = Format(b"PAR1", "a Parquet file", ".parquet")
# what is not read: its name says so
OTHER_FORMATS = (
    Format(b"\xd0\xcf\x11\xe0", "a document of old Office", ".xls and save it in Excel as .xlsx"),
    Format(b"%PDF-", "a PDF", ".pdf and export the table as .csv"),
    Format(b"SQLite format 3\0", "a SQLite database", ".db and export the table as .csv"),
    Format(b"BZh", "a bzip2 archive", ".bz2 and unpack it"),
    Format(b"\xfd7zXZ\0", "an xz archive", ".xz and unpack it"),
    Format(b"\x28\xb5\x2f\xfd", "a Zstandard archive", ".zst and unpack it"),
    Format(b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", ".7z and unpack it"),
)


def format_of(head: bytes) -> Format | None:
    """Which of the known binary formats a file is in, by its first bytes; None where it may be text."""
    if head.startswith(ZIP.magic):
        return EXCEL if b"[Content_Types].xml" in head or b"xl/" in head else ZIP
    return next((one for one in (GZIP, PARQUET, *OTHER_FORMATS) if head.startswith(one.magic)), None)


@dataclass(frozen=True)
class Content:
    """The content of a file: `name` ends in its format, whatever the file around it is called."""

    path: Path
    name: str
    open: Callable[[], BinaryIO]

    @property
    def ending(self) -> str:
        return PurePath(self.name).suffix.lower()

    def head(self, size: int = 65_536) -> bytes:
        """The first bytes; fewer where the file is damaged."""
        head = b""
        with suppress(*DAMAGE):
            for chunk in self.chunks(size):
                head += chunk
                if len(head) >= size:
                    break
        return head[:size]

    def chunks(self, size: int = CHUNK) -> Iterator[bytes]:
        """The content in pieces of at most `size` bytes; a damaged file yields what can be read before it raises."""
        with self.open() as file:
            while chunk := file.read1(size):  # type: ignore[attr-defined]
                yield chunk

    @contextmanager
    def seekable(self) -> Iterator[IO[bytes]]:
        """The content as a seekable file."""
        with self.open() as file:
            if self.name == self.path.name:
                yield file
                return
            with TemporaryFile() as unpacked, damage_reported(self.path):
                shutil.copyfileobj(file, unpacked)
                unpacked.seek(0)
                yield unpacked


def content_of(path: Path) -> Content:
    """Look into a file. Raises SourceError for a zip archive that holds not just one file or is locked, and for a name
    that ends in .gz or .zip where the file is none."""
    with path.open("rb") as file:
        found = format_of(file.read(4096))
    ending = path.suffix.lower()
    if ending in (GZIP.ending, ZIP.ending) and (found is None or found.ending != ending):
        what = f"but {found.name}. Name it {found.ending}" if found else f"but a plain file. Take {ending} off its name"
        raise SourceError(f"{path}: is no {ending[1:]} archive, {what}.")
    if ending == ZIP.ending:
        return _zip_member(path)
    if found == GZIP:
        name = path.name[: -len(".gz")] if ending == ".gz" else path.name
        return Content(path, name, lambda: cast(BinaryIO, gzip.open(path)))
    return Content(path, path.name, lambda: path.open("rb"))


def _zip_member(path: Path) -> Content:
    with damage_reported(path):
        archive = zipfile.ZipFile(path)
    members = [member for member in archive.infolist() if not (member.is_dir() or _is_hidden(member.filename))]
    if len(members) != 1:
        names = ", ".join(member.filename for member in members[:5]) or "nothing"
        raise SourceError(f"{path}: holds {names}. Pack one file, or unpack it and load the files one by one.")
    if members[0].flag_bits & 1:
        raise SourceError(f"{path}: is locked with a password. Unpack it and load what is in it.")
    try:
        with damage_reported(path):
            archive.open(members[0]).close()
    except NotImplementedError as error:  # Deflate64, say, with which Windows packs large files
        raise SourceError(f"{path}: cannot be unpacked ({error}). Unpack it and load what is in it.") from error
    return Content(path, PurePath(members[0].filename).name, lambda: cast(BinaryIO, archive.open(members[0])))


def _is_hidden(name: str) -> bool:
    """Whether a member is what macOS puts beside the files of its user."""
    return name.startswith("__MACOSX/") or PurePath(name).name.startswith(".")


@contextmanager
def damage_reported(path: Path) -> Iterator[None]:
    """Turn what a damaged archive raises into a SourceError."""
    try:
        yield
    except DAMAGE as error:
        raise SourceError(
            f"{path}: the compressed file is cut off or damaged ({error}). Copy it again and load it again; "
            "what was landed of it stays, and the other rows are added."
        ) from error
