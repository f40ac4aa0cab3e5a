"""What the tests of file formats share: write a file, load it by the command, read what landed."""

import gzip
import io
import signal
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path
from typing import NamedTuple

import pyarrow.dataset as ds
from click.testing import CliRunner

from ingest import load

HEADER = "product_id,category,store_location,quantity,price,event_timestamp"


class Loaded(NamedTuple):
    """How the command ended, what it printed, and the rows of the landing in the order of the file."""

    exit_code: int
    output: str
    rows: list[dict]

    @property
    def good(self) -> list[dict]:
        return [row for row in self.rows if row["error"] is None]

    @property
    def bad(self) -> list[dict]:
        return [row for row in self.rows if row["error"] is not None]

    def column(self, name: str) -> list:
        """A column of the good rows."""
        return [row[name] for row in self.good]


def load_file(source: Path, data_dir: Path, *options: str) -> Loaded:
    """Run `inventory load` on a file."""
    result = CliRunner().invoke(load.command, ["--source", str(source), "--data-dir", str(data_dir), *options])
    assert not isinstance(result.exception, Exception) or isinstance(result.exception, SystemExit), result.exc_info
    files = [str(path) for path in (data_dir / "landing").glob("publish_date=*/*.parquet")]
    rows = ds.dataset(files).to_table().to_pylist() if files else []
    return Loaded(
        result.exit_code, result.output, sorted(rows, key=lambda row: (row["topic"], row["ledger_id"], row["entry_id"]))
    )


def load_lines(data_dir: Path, name: str, *lines: bytes) -> Loaded:
    """Write a file of these lines into a data folder and load it there."""
    source = data_dir / name
    source.write_bytes(b"\n".join(lines) + b"\n")
    return load_file(source, data_dir)


def load_bytes(folder: Path, name: str, content: bytes, *options: str) -> Loaded:
    """Write a file and load it into a landing of its own."""
    source = folder / name
    source.write_bytes(content)
    return load_file(source, folder / "data", *options)


def load_text(folder: Path, name: str, text: str, *options: str) -> Loaded:
    """The same with a text in UTF-8."""
    return load_bytes(folder, name, text.encode(), *options)


def zipped(name: str, content: bytes) -> bytes:
    """A zip archive of one file, the same bytes each time."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return archive.getvalue()


def gzipped(content: bytes) -> bytes:
    """The content in gzip, the same bytes each time."""
    return gzip.compress(content, mtime=0)


def load_until_killed(source: Path, data_dir: Path, step: str, batch: int) -> None:
    """Load a file, ten rows a batch, in a process that is killed before the given step of the given batch."""
    killer = textwrap.dedent(f"""
        import os, signal, sys
        from pathlib import Path
        from ingest import durable_files, load
        from ingest.landing import commit, file_loader

        owner, name = {{
            "write_table": (commit.pq, "write_table"),
            "fsync": (durable_files.os, "fsync"),
            "rename": (Path, "rename"),
            "sync_folder": (durable_files, "sync_folder"),
        }}["{step}"]
        original, calls = getattr(owner, name), 0

        def kill_or_go_on(*arguments, **settings):
            global calls
            calls += 1
            if calls == {batch}:
                os.kill(os.getpid(), signal.SIGKILL)
            return original(*arguments, **settings)

        setattr(owner, name, kill_or_go_on)
        file_loader.FLUSH_ROWS = 10
        load.command(["--source", sys.argv[1], "--data-dir", sys.argv[2]])
    """)
    killed = subprocess.run([sys.executable, "-c", killer, source, data_dir], capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL
