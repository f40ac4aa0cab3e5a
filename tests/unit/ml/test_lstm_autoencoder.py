import numpy as np
import pytest

pytest.importorskip("autograd", reason="no extra deep here: `make setup-dev` installs it")

from ml.anomalies.clean_demand import OFTEN_MEANS, clean_innovations
from ml.anomalies.detection import WARM_UP
from ml.anomalies.detectors import lstm_autoencoder
from ml.anomalies.lstm import newest_errors, trained

PERIODS = 8


@pytest.fixture(scope="module")
def waves() -> np.ndarray:
    """Sine waves of one frequency, each with a phase and a size of its own: series by periods by one channel."""
    random = np.random.default_rng(1)
    phase, size = random.uniform(0, 2 * np.pi, (60, 1)), random.uniform(0.5, 1.5, (60, 1))
    return (size * np.sin(np.arange(40) + phase))[..., None].astype(np.float32)


def learned(waves: np.ndarray, steps: int) -> dict:
    ends = np.nonzero(np.arange(40) >= np.full((60, 1), PERIODS - 1))
    return trained(waves, ends, PERIODS, steps, np.random.default_rng(2))


@pytest.fixture(scope="module")
def weights(waves: np.ndarray) -> dict:
    return learned(waves, lstm_autoencoder.STEPS)


def test_it_retells_what_it_has_learned(waves, weights):
    assert (newest_errors(weights, waves, PERIODS) ** 2).mean() < 0.1 * waves.var()


def test_it_cannot_retell_what_it_has_not_learned(waves, weights):
    upside_down = waves.copy()
    upside_down[:, -1] *= -1
    errors = newest_errors(weights, upside_down, PERIODS) ** 2
    assert errors[:, -1].mean() > 5 * errors[:, :-1].mean()


def test_an_error_depends_on_its_own_sequence_only(waves, weights):
    changed = waves.copy()
    changed[:, [10, 30]] += 3
    errors, others = (newest_errors(weights, inputs, PERIODS)[..., 0] ** 2 for inputs in (waves, changed))
    ends = np.arange(PERIODS - 1, 40)
    reached = ((ends >= 10) & (ends < 10 + PERIODS)) | (ends >= 30)
    np.testing.assert_array_equal(errors[:, ~reached], others[:, ~reached])
    assert (errors[:, ends == 30] < others[:, ends == 30]).all()


def test_training_again_gives_the_same_bytes(waves):
    weights, again = learned(waves, 5), learned(waves, 5)
    for cell in weights:
        for name, values in weights[cell].items():
            assert values.dtype == np.float32
            np.testing.assert_array_equal(values, again[cell][name])


def test_clean_demand_scores_about_1():
    clean = clean_innovations(OFTEN_MEANS)
    scores = lstm_autoencoder.fit(clean, 1)(clean)
    assert scores.shape == clean.y.shape
    assert (scores[clean.seen >= WARM_UP] ** 2).mean() == pytest.approx(1, rel=0.01)
