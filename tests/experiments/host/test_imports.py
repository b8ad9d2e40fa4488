"""Which packages are installed."""

from experiments.host.imports import missing_packages


def test_a_folder_of_that_name_is_no_package(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "no_tracker").mkdir()
    (tmp_path / "some_tracker").mkdir()
    (tmp_path / "some_tracker/__init__.py").touch()
    given = ["no_tracker", "some_tracker", "pytest", "nosuch"]
    assert missing_packages(given) == ["no_tracker", "nosuch"]
