"""A configuration: what it loads, how often, and what travels to another process."""

import pickle

import steps.config as module
from steps.config import Config


def counted(monkeypatch, name):
    """Count the calls of a loader by what they are asked for."""
    calls, load = [], getattr(module, name)

    def counting(asked, **options):
        calls.append(asked)
        return load(asked, **options)

    monkeypatch.setattr(module, name, counting)
    return calls


def test_everything_is_loaded_once(monkeypatch):
    roadmaps, studies = counted(monkeypatch, "load_roadmap"), counted(monkeypatch, "load_study")
    config = Config(study="path", overrides={"recipe.epochs": 2})
    for _ in range(2):
        assert config.roadmap is config.roadmap
        assert config.study.base["13"].spec == config.roadmap["13"].spec
        assert config.load_study("leave-one-out").design == "leave_one_out"
    assert roadmaps == ["tiny"]
    assert sorted(studies) == ["leave-one-out", "path"]


def test_overrides_hold_in_the_roadmap_and_not_in_the_one_as_read():
    config = Config(overrides={"recipe.epochs": 2})
    assert {row.spec.recipe.epochs for row in config.roadmap} == {2}
    assert {row.spec.recipe.epochs for row in config.roadmap_as_read} == {5}
    assert config.study is None


def test_names_and_settings_travel_to_another_process_and_not_what_was_loaded():
    config = Config(roadmap="cifar", study="path", overrides={"recipe.epochs": 2})
    before = pickle.dumps(config)
    assert config.study.base.name == "cifar"
    assert len(pickle.dumps(config)) < 2 * len(before)
    assert pickle.loads(pickle.dumps(config)).roadmap["13"].spec == config.roadmap["13"].spec
