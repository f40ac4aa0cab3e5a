import pytest

from ml.anomalies import detectors
from ml.anomalies.detectors import lstm_autoencoder
from ml.registry import installed_names, listed_names, load, names_of


def test_a_file_without_its_extra_is_not_offered_and_says_so_when_named(monkeypatch):
    monkeypatch.setattr(lstm_autoencoder, "EXTRA", ("deep", "no_such_library"))
    assert set(names_of(detectors)) - set(installed_names(detectors)) == {"lstm_autoencoder"}
    with pytest.raises(ValueError, match=r"lstm_autoencoder needs the optional extra deep: pip install '\.\[deep\]'"):
        load(detectors, ["lstm_autoencoder"])


def test_an_unknown_name_gets_the_names_that_there_are():
    with pytest.raises(ValueError, match=r"no oracle; choose from isolation_forest"):
        load(detectors, ["oracle"])


def test_a_setting_lists_known_names():
    known = ["sub_pca", "whole_past"]
    assert listed_names("INVENTORY_DETECTORS", "", known) == []
    assert listed_names("INVENTORY_DETECTORS", " whole_past, sub_pca,", known) == ["whole_past", "sub_pca"]
    with pytest.raises(ValueError, match=r"^INVENTORY_DETECTORS names whole_pst; choose from sub_pca, whole_past$"):
        listed_names("INVENTORY_DETECTORS", "sub_pca,whole_pst", known)
