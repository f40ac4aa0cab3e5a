"""What the tests of refinement share: one Spark session for the whole run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from ingest.refining.spark_job import session

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    """A local Spark session; to start one costs ten seconds."""
    with pytest.MonkeyPatch.context() as environment:
        # what the session sets is put back at the end, so that no other test finds it
        for name in ("JAVA_HOME", "SPARK_CONF_DIR", "PYSPARK_PYTHON", "SPARK_LOCAL_IP"):
            environment.delenv(name, raising=False)
        started = session("local[2]")
        yield started
        started.stop()
