"""A real standalone Spark cluster on this machine: a master and workers, each a process of its own."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.error import URLError
from urllib.request import urlopen

import msgspec
import pyspark

from dev.pulsar_broker import free_port
from ingest.refining.java import java_environment

LOOPBACK = "127.0.0.1"
SECONDS_TO_START = 180  # on a busy machine


class Cluster(NamedTuple):
    master: str
    work: Path  # where each application's executors leave their logs
    temporary: Path  # where their tasks put what is theirs alone


@contextmanager
def running_cluster(folder: Path, workers: int, cores: int) -> Iterator[Cluster]:
    """A cluster, once all its workers have joined the master."""
    port, page = free_port(), free_port()
    cluster = Cluster(f"spark://{LOOPBACK}:{port}", folder / "work", folder / "temporary")
    cluster.temporary.mkdir()
    with ExitStack() as running:
        at = ["--port", str(port), "--webui-port", str(page)]
        running.enter_context(_process("master.Master", folder, "master", *at))
        for number in range(workers):
            resources = ["--cores", str(cores), "--memory", "2g", "--work-dir", str(cluster.work)]
            place = ["--webui-port", str(free_port()), cluster.master]
            running.enter_context(_process("worker.Worker", folder, f"worker-{number}", *resources, *place))
        given_up = time.monotonic() + SECONDS_TO_START
        while _joined(page) < workers:
            assert time.monotonic() < given_up, (folder / "worker-0.log").read_text()
            time.sleep(0.2)
        yield cluster


@contextmanager
def _process(spark_class: str, folder: Path, name: str, *arguments: str) -> Iterator[None]:
    """A process of the cluster; it is killed at the end, whatever happens."""
    environment = {
        **os.environ,
        **java_environment(),
        "SPARK_LOCAL_IP": LOOPBACK,
        "SPARK_NO_DAEMONIZE": "1",
        "TMPDIR": str(folder / "temporary"),
    }
    runner = Path(pyspark.__file__).parent / "bin/spark-class"
    with (folder / f"{name}.log").open("w") as output:
        started = subprocess.Popen(
            [runner, f"org.apache.spark.deploy.{spark_class}", "--host", LOOPBACK, *arguments],
            env=environment,
            stdout=output,
            stderr=output,
        )
        try:
            yield
        finally:
            started.kill()
            started.wait()


def _joined(page: int) -> int:
    """How many workers the master's page knows."""
    try:
        with urlopen(f"http://{LOOPBACK}:{page}/json/") as answer:
            return int(msgspec.json.decode(answer.read())["aliveworkers"])
    except URLError:
        return 0
