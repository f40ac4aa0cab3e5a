import os
import subprocess
import sys
from functools import partial

import pandas as pd

from ml import cache
from ml.cache import cached as cached_with
from ml.forecasting.backtest import CODE, LIBRARIES

cached = partial(cached_with, code=CODE, libraries=LIBRARIES)

FRAME = pd.DataFrame({"unique_id": ["a", "a"], "ds": pd.date_range("2025-01-01", periods=2), "y": [1.0, 2.0]})


class Counted:
    """Gives a result and counts how often it was asked for it."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> pd.DataFrame:
        self.times += 1
        return FRAME.assign(fallback_reason=None)


def test_the_same_is_computed_once_and_anything_else_anew(tmp_path):
    compute = Counted()
    first = cached(tmp_path, ("arima", 7), [FRAME], compute)
    pd.testing.assert_frame_equal(cached(tmp_path, ("arima", 7), [FRAME.copy()], compute), first)
    assert compute.times == 1
    for parameters, frame in [
        (("arima", 8), FRAME),
        (("arima", 7), FRAME.assign(y=[1.0, 2.5])),
        (("arima", 7), FRAME.rename(columns={"y": "z"})),
        (("arima", 7), FRAME.assign(ds=FRAME["ds"] + pd.Timedelta(days=1))),
    ]:
        before = compute.times
        cached(tmp_path, parameters, [frame], compute)
        assert compute.times == before + 1


def test_what_no_build_has_needed_for_long_is_removed(tmp_path):
    compute = Counted()
    cached(tmp_path, ("needed",), [FRAME], compute)
    cached(tmp_path, ("not needed",), [FRAME], compute)
    for path in tmp_path.iterdir():
        os.utime(path, (0, 0))
    cached(tmp_path, ("needed",), [FRAME], compute)
    cache._prune.cache_clear()  # as in the process of the next build
    cached(tmp_path, ("new",), [FRAME], compute)
    assert len(list(tmp_path.iterdir())) == 2
    cached(tmp_path, ("needed",), [FRAME], compute)
    assert compute.times == 3


def test_other_code_is_computed_anew(tmp_path):
    compute = Counted()
    cached(tmp_path / "cache", ("arima",), [FRAME], compute)
    (tmp_path / "changed.py").write_text("# another way")
    cached(tmp_path / "cache", ("arima",), [FRAME], compute, code=tmp_path)
    assert compute.times == 2


def test_other_shared_code_is_computed_anew(tmp_path, monkeypatch):
    compute = Counted()
    monkeypatch.setattr(cache, "SHARED", tmp_path)
    cached(tmp_path / "cache", ("arima",), [FRAME], compute)
    (tmp_path / "frames.py").write_text("# another way")
    cached(tmp_path / "cache", ("arima",), [FRAME], compute)
    assert compute.times == 2


def test_a_torn_file_is_made_anew_and_nothing_temporary_stays(tmp_path):
    compute = Counted()
    whole = cached(tmp_path, ("arima",), [FRAME], compute)
    (torn,) = tmp_path.iterdir()
    torn.write_bytes(torn.read_bytes()[:100])
    pd.testing.assert_frame_equal(cached(tmp_path, ("arima",), [FRAME], compute), whole)
    assert compute.times == 2
    assert [path.suffix for path in tmp_path.iterdir()] == [".parquet"]


def test_what_a_killed_writer_left_is_removed_in_time(tmp_path):
    left = tmp_path / ".tmp-1.parquet-99"
    left.write_bytes(b"half")
    cached(tmp_path, ("new",), [FRAME], Counted())
    assert left.exists()  # another process may be writing it
    os.utime(left, (0, 0))
    cache._prune.cache_clear()  # as in the process of the next build
    cached(tmp_path, ("newer",), [FRAME], Counted())
    assert not left.exists()


def test_models_in_threads_import_scikit_learn_one_after_the_other(tmp_path):
    """Two threads that import it at once may deadlock, so it is there before any result is computed."""
    program = (
        "import sys; from pathlib import Path; import pandas as pd; from ml.cache import cached\n"
        "def compute():\n"
        "    print('sklearn' in sys.modules)\n"
        "    return pd.DataFrame({'y': [1.0]})\n"
        "assert 'sklearn' not in sys.modules\n"
        "cached(Path(sys.argv[1]), (), [], compute, code=Path('ml/text'), libraries=[])\n"
    )
    output = subprocess.check_output([sys.executable, "-c", program, tmp_path], text=True)
    assert output == "True\n"
