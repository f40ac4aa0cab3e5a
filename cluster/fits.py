"""Fits of single series and stores in Spark's tasks: joblib, which spreads them over this machine's cores, hands them
to Spark."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from joblib import register_parallel_backend
from joblib.parallel import AutoBatchingMixin, LokyBackend, ThreadingBackend

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


class SparkBackend(AutoBatchingMixin, ThreadingBackend):
    """Threads that each wait for one task of Spark. However many jobs are asked for, all tasks of the cluster run."""

    uses_threads = False
    supports_sharedmem = False

    def __init__(self, spark: SparkSession, **settings: Any) -> None:
        super().__init__(**settings)
        self._spark = spark

    def effective_n_jobs(self, n_jobs: int | None) -> int:
        """How many tasks run at once; what asks for one job only stays in this process."""
        return 1 if n_jobs in (None, 1) else int(self._spark.sparkContext.defaultParallelism)

    def submit(self, func: Callable[[], Any], callback: Callable[[Any], None] | None = None) -> Any:
        """Run a batch of fits in a task."""
        return super().submit(partial(_in_a_task, self._spark, func), callback)


def _in_a_task(spark: SparkSession, work: Callable[[], Any]) -> Any:
    # not `first`: Spark would end the worker after it, and with it all that the worker has imported
    (result,) = spark.sparkContext.parallelize([None], 1).map(lambda _: work()).collect()
    return result


@contextmanager
def fits_in_tasks(spark: SparkSession) -> Iterator[None]:
    """Let all that joblib spreads run in Spark's tasks; dbt's threads would not see a setting of this thread."""
    register_parallel_backend("spark", partial(SparkBackend, spark), make_default=True)
    try:
        yield
    finally:
        register_parallel_backend("loky", LokyBackend, make_default=True)
