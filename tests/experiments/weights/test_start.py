"""Training from weights: what is loaded, what is named, what identifies the run."""

import json
import pickle

import pytest
import timm
import torch
from safetensors.torch import load_file, save_file

from analysis.selection import select
from analysis.tables.table import tabulate
from experiments.launch.launchers import run_all
from experiments.settings import Settings
from experiments.weights.choice import Start
from experiments.weights.loading import in_words, load_start, scale_new_head
from experiments.weights.source import find_weights
from roadmap.edit import insert_after, is_spatial
from roadmap.errors import Problem
from roadmap.network import build
from roadmap.record import read_record
from roadmap.spec import Operation, Reference, to_dict
from steps.roadmaps.load import load_roadmap
from tests.experiments.weights.short import ONE, roadmap_row, trained


@pytest.mark.slow
def test_a_row_starts_from_the_weights_and_the_record_says_so(ask, convnext):
    lines = []
    slow = {"recipe.learning_rate": 1e-12, "recipe.weight_decay": 0.0}
    asked = ask("13", convnext, **slow)
    record = trained(asked, lines)
    theirs, ours = load_file(convnext), load_file(asked.folder / "weights.safetensors")
    name = "stages.2.blocks.5.branch.convolution_1.weight"
    torch.testing.assert_close(ours[name].flatten(1), theirs["stages.2.blocks.5.mlp.fc1.weight"])
    assert record.weights.source == "convnext.safetensors"
    assert record.weights.layout == "timm's ConvNeXt"
    assert record.weights.new == ("head.classifier.weight", "head.classifier.bias")
    assert set(record.weights.unused) == {"head.fc.weight", "head.fc.bias"}
    assert 99 < record.weights.share < 100
    assert record.weights.fingerprint == record.spec["weights"] == asked.spec.weights
    assert in_words(record.weights) in lines
    assert read_record(asked.folder / "record.json") == record


def test_weights_are_part_of_the_identity_and_only_if_given(ask, convnext, tmp_path):
    plain, started = ask("13"), ask("13", convnext)
    assert "weights" not in to_dict(plain.spec)
    assert plain.identity.network == started.identity.network
    assert plain.identity.recipe == started.identity.recipe
    assert plain.identity.spec != started.identity.spec
    (tmp_path / "copy").write_bytes(convnext.read_bytes())  # the content counts, not the name
    assert ask("13", tmp_path / "copy").identity == started.identity
    weights = load_file(convnext)
    save_file({**weights, "head.fc.bias": weights["head.fc.bias"] + 1}, tmp_path / "other")
    assert ask("13", tmp_path / "other").identity.spec != started.identity.spec


@pytest.mark.slow
def test_a_finished_run_of_another_row_is_a_source(ask):
    first = ask("12")
    trained(first)
    by_folder, by_name = ask("12", first.folder), ask("12", first.identity.run)
    assert by_folder.identity == by_name.identity != first.identity
    record = trained(by_folder)
    assert record.weights.source.startswith("run 12 layer_norm seed 0 on photos")
    assert record.weights.share == 100 and not record.weights.new
    kept = first.folder / "weights.safetensors"
    runs = first.settings.runs
    with pytest.raises(Problem, match="runs with weights: ") as found:
        find_weights("row 12", runs)
    assert f"{first.folder} (run 12 layer_norm seed 0" in str(found.value)
    assert find_weights(str(kept), None).fingerprint == record.weights.fingerprint
    partly = trained(ask("13", first.folder))  # its convolutions between stages are its own
    assert 70 < partly.weights.share < 100
    assert "stages.1.downsampling.convolution.weight" in partly.weights.new


def test_rows_that_share_nothing_are_refused_or_trained_from_scratch(ask, convnext):
    asked = ask("01", convnext)
    start = asked.settings.start
    rows = [asked.settings.path[number] for number in ("01", "02", "13")]
    with pytest.raises(Problem, match="rows 01, 02 share no convolution.*--rows 13 trains the"):
        start.check(rows)
    start.check(rows[2:])
    with pytest.raises(Problem, match="no layer of weights convnext"):
        trained(asked)  # also without the check beforehand
    scratch, plain = ask("01", convnext, scratch=True), ask("01")
    assert scratch.identity == plain.identity  # it is the same run
    assert ask("13", convnext, scratch=True).identity == ask("13", convnext).identity


@pytest.mark.slow
def test_the_table_says_which_rows_started_from_what(ask, convnext):
    requests = [ask(row, convnext, scratch=True) for row in ("01", "13")]
    outcome = run_all(requests, parallel=1, machine=ONE, command="roadmap run")
    assert not outcome.failures
    path = requests[0].settings.path
    notes = tabulate(path, outcome.records).notes
    mark = requests[1].spec.weights
    assert any(f"convnext.safetensors ({mark}): 13 (99." in note for note in notes)
    assert "trained from random weights, not from these: 01" in notes
    without = select(ask("13").settings.path, outcome.records)
    assert "13" not in without.rows and "01" in without.rows
    assert any("started from weights convnext" in note for note in without.notes)


def test_an_operation_between_convolutions_keeps_their_weights(convnext):
    spec = roadmap_row("13")
    made = Operation(
        operation="twice",
        build=lambda channels: torch.nn.Identity(),
        cost=lambda channels, height, width: {"macs": 0, "params": 0, "activations": 0},
    )
    network = build(insert_after(spec, is_spatial, made).network)
    start = load_start(network, find_weights(str(convnext), None))
    assert start.new == ("head.classifier.weight", "head.classifier.bias")
    block = network.stages[0].blocks[0].branch
    theirs = load_file(convnext)["stages.0.blocks.0.mlp.fc2.weight"]
    assert torch.equal(block.convolution_3.weight.flatten(1), theirs)


def test_a_norm_of_another_kind_is_not_loaded(convnext):
    network = build(roadmap_row("11").network)  # BatchNorm where the weights have LayerNorm
    start = load_start(network, find_weights(str(convnext), None))
    assert "stages.0.blocks.0.branch.norm_0.weight" in start.new
    assert "stages.0.blocks.0.branch.convolution_0.weight" not in start.new


def test_timms_models_take_the_layouts_too(ask, tmp_path):
    theirs = timm.create_model("convnext_atto", num_classes=9)
    weights = theirs.state_dict()
    renamed = {name.replace("head.fc", "head.old"): one for name, one in weights.items()}
    save_file(renamed, tmp_path / "atto.safetensors")
    network = build(Reference(timm="convnext_atto", classes=2))
    start = load_start(network, find_weights(str(tmp_path / "atto.safetensors"), None))
    assert start.new == ("head.fc.weight", "head.fc.bias")
    assert torch.equal(network.stem[0].weight, theirs.stem[0].weight)
    small = ask("timm:resnet10t", tmp_path / "atto.safetensors", scratch=True)
    assert small.spec.weights is None
    assert ask("timm:convnext_atto", tmp_path / "atto.safetensors", scratch=True).spec.weights


def test_a_tag_needs_weights(ask, convnext):
    with pytest.raises(Problem, match=r"random ones; train timm:convnext_atto, or add --weights"):
        ask("timm:convnext_atto.d2_in1k").check(ONE)
    ask("timm:convnext_atto.d2_in1k", convnext).check(ONE)
    ask("timm:convnext_atto").check(ONE)


def test_timms_weights_come_from_the_cache(tmp_path, monkeypatch):
    """The hub's cache is a folder, made here; nothing is downloaded."""
    import huggingface_hub.constants as constants

    repository = tmp_path / "models--timm--convnext_atto.d2_in1k"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("a" * 40)
    (repository / "snapshots" / ("a" * 40)).mkdir(parents=True)
    model = timm.create_model("convnext_atto")
    save_file(model.state_dict(), repository / "snapshots" / ("a" * 40) / "model.safetensors")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    weights = find_weights("timm:convnext_atto.d2_in1k", None)
    network = build(Reference(timm="convnext_atto", classes=1000))
    assert load_start(network, weights).share == 100
    with pytest.raises(Problem, match=r"timm:convnext_femto.d1_in1k cannot be downloaded.*give"):
        find_weights("timm:convnext_femto.d1_in1k", None)
    with pytest.raises(Problem, match="near: timm:convnext_atto"):
        find_weights("timm:convnext_atto.none", None)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda folder: folder / "none.pth", "does not exist; valid: a finished run's folder"),
        (lambda folder: folder, "is no folder of a finished run"),
    ],
)
def test_sources_that_are_none(make, said, tmp_path):
    with pytest.raises(Problem, match=said):
        find_weights(str(make(tmp_path)), tmp_path)


def test_a_new_head_is_scaled_and_a_loaded_one_is_not(convnext):
    for classes, factor in ((2, 0.001), (1000, 1)):
        network = build(load_roadmap("tiny").with_classes(classes)["13"].spec.network)
        start = load_start(network, find_weights(str(convnext), None))
        before = network.head.classifier.weight.clone()
        scale_new_head(network, 0.001, start)
        torch.testing.assert_close(network.head.classifier.weight, before * factor)
    assert json.loads(json.dumps(start.share)) == 100


def test_a_study_starts_every_variant_from_the_weights(photos, convnext, tmp_path):
    settings = Settings(
        study="leave-one-out",
        data=str(photos),
        runs=tmp_path,
        start=Start(str(convnext), tmp_path, scratch=True),
    )
    mark = find_weights(str(convnext), tmp_path).fingerprint
    starts = {row.number: row.spec.weights for row in settings.path}
    assert starts["13"] == mark and set(starts.values()) == {None, mark}
    again = pickle.loads(pickle.dumps(settings))  # as a job travels to another process
    assert {row.number: row.spec.weights for row in again.path} == starts
    study = settings.config.study
    assert all(row.spec.weights in (None, mark) for row in study.base)
