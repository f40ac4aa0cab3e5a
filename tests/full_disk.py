"""A folder on a disk that is nearly full."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest


class FullDisk:
    """A disk with room for so many kilobytes more; only root can have one."""

    def __init__(self, folder: Path, kilobytes: int) -> None:
        self.folder = folder
        self.kilobytes = kilobytes

    def __enter__(self) -> None:
        mount = ["mount", "-t", "tmpfs", "-o", f"size={self.kilobytes}k", "tmpfs", str(self.folder)]
        if os.getuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
            pytest.skip("a full disk needs the right to mount one")

    def __exit__(self, *_: object) -> None:
        subprocess.run(["umount", str(self.folder)], check=True)
