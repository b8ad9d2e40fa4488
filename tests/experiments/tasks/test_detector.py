"""Detectors on rows: every setting reaches torchvision, and they learn and detect."""

import dataclasses

import pytest
import torch
from timm.models import group_parameters

from experiments.data.splits import Statistics
from experiments.tasks.cost import built_cost
from experiments.tasks.detector import Resized, detector
from experiments.tasks.optimizer import make_optimizer
from experiments.weights.freezing import freeze
from roadmap.edit import replace
from roadmap.errors import Problem
from roadmap.network import build
from roadmap.spec import Reference
from roadmap.tasks import Detection
from steps.recipes.load import load_recipe
from steps.roadmaps.load import load_roadmap

TASK = Detection(
    detection="mask_rcnn",
    short_sides=(64, 96),
    long_side=128,
    pyramid=16,
    anchors=(8, 16, 32, 64, 128, 256),
    candidates=(120, 110),
    proposals=(60, 50),
    sampled=(48, 24),
    box_features=40,
    mask_convolutions=3,
    detections=7,
)
SPEC = load_roadmap("tiny")["13"].spec
RECIPE = replace(SPEC.recipe, task=TASK, image_size=80)
STATISTICS = Statistics(mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 0.6))


def made(task=TASK, network=SPEC.network, **changes):
    torch.manual_seed(0)
    recipe = replace(RECIPE, task=task, **changes)
    return detector(build(network), recipe, classes=5, statistics=STATISTICS)


def batch(images=4, size=96):
    torch.manual_seed(1)
    pictures, targets = [], []
    for _ in range(images):
        corner = torch.randint(0, size // 2, (2, 2)).float()
        boxes = torch.cat([corner, corner + 20], dim=1)
        masks = torch.zeros(2, size, size, dtype=torch.uint8)
        picture = 0.1 * torch.rand(3, size, size)
        for mask, (left, top, right, bottom) in zip(masks, boxes.int().tolist(), strict=True):
            mask[top:bottom, left:right] = 1
            picture[:, top:bottom, left:right] = 0.9
        pictures.append(picture)
        targets.append({"boxes": boxes, "labels": torch.ones(2, dtype=torch.int64), "masks": masks})
    return pictures, targets


def test_every_setting_reaches_torchvision():
    found = made()
    rpn, heads = found.rpn, found.roi_heads
    assert rpn.anchor_generator.sizes == tuple((side,) for side in TASK.anchors)
    assert rpn._pre_nms_top_n == {"training": 120, "testing": 110}
    assert rpn._post_nms_top_n == {"training": 60, "testing": 50}
    assert rpn.fg_bg_sampler.batch_size_per_image == 48
    assert heads.fg_bg_sampler.batch_size_per_image == 24
    assert heads.detections_per_img == 7
    assert heads.box_head.fc7.out_features == 40
    assert heads.box_predictor.cls_score.out_features == 6  # and the ground
    assert len(heads.mask_head) == 3
    assert heads.mask_predictor.mask_fcn_logits.out_channels == 6
    assert found.backbone.out_channels == 16
    assert len(found.backbone(torch.rand(1, 3, 64, 96))) == len(TASK.anchors)
    assert heads.box_roi_pool.featmap_names == heads.mask_roi_pool.featmap_names == list("0123")
    assert tuple(found.transform.image_mean) == STATISTICS.mean
    assert tuple(found.transform.image_std) == STATISTICS.std
    assert found.transform.max_size == 128


def test_the_paper_has_one_level_more_than_stages():
    paper = Detection(detection="faster_rcnn", short_sides=(800,))
    maps = list(made(paper).backbone(torch.rand(1, 3, 96, 64)).values())
    assert [tuple(each.shape[2:]) for each in maps] == [(24, 16), (12, 8), (6, 4), (3, 2), (2, 1)]
    assert torch.equal(maps[-1], maps[-2][..., ::2, ::2])  # torchvision's LastLevelMaxPool


def test_sides_are_drawn_in_training_and_the_recipes_in_evaluation():
    found = made()
    image = [torch.rand(3, 48, 60)]
    heights = {found.train().transform(image)[0].image_sizes[0][0] for _ in range(30)}
    assert heights == {64, 96}
    assert found.eval().transform(image)[0].image_sizes == [(80, 100)]
    assert found.eval().transform([torch.rand(3, 50, 100)])[0].image_sizes == [(64, 128)]


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "number"), [("mask_rcnn", "13"), ("faster_rcnn", "00")])
def test_it_learns_to_find_squares(kind, number):
    network = load_roadmap("tiny")[number].spec.network
    task = dataclasses.replace(TASK, detection=kind, short_sides=(96,))
    found = made(task, network, image_size=96).train()
    pictures, targets = batch()
    optimizer = torch.optim.AdamW(found.parameters(), 2e-3)
    totals = []
    for _ in range(40):
        losses = found(pictures, targets)
        assert ("loss_mask" in losses) == (kind == "mask_rcnn")
        total = sum(losses.values())
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        totals.append(total.item())
    assert [name for name, each in found.named_parameters() if each.grad is None] == []
    assert totals[-1] < 0.5 * totals[0]
    with torch.no_grad():
        (first, *_) = found.eval()(pictures)
    assert ("masks" in first) == (kind == "mask_rcnn")
    assert len(first["boxes"]) <= TASK.detections


def test_layer_decay_gives_the_head_the_last_group():
    found = made()
    groups = group_parameters(found, found.group_matcher(), reverse=True)
    last = max(groups.values())
    assert last == 6  # stem, four stages of which one has more than three blocks, head
    for name, group in groups.items():
        assert (group == last) == (not name.startswith("backbone.body.network.")), name
    optimizer = make_optimizer(found, replace(RECIPE, layer_decay=0.5))
    scales = {group["lr_scale"] for group in optimizer.param_groups}
    assert scales == {0.5**power for power in range(7)}


def test_parts_of_the_backbone_freeze_by_their_names_in_the_row():
    found = made()
    freeze(found, ["stem", "stages.0"])
    frozen = {name for name, each in found.named_parameters() if not each.requires_grad}
    starts = ("backbone.body.network.stem.", "backbone.body.network.stages.0.")
    assert frozen == {name for name, _ in found.named_parameters() if name.startswith(starts)}
    freeze(found, ["features"])
    for name, each in found.named_parameters():
        assert each.requires_grad != name.startswith("backbone.body.network."), name
    with pytest.raises(Problem, match="'stema' names nothing in this network; valid: .* stem,"):
        freeze(found, ["stema"])


def test_the_cost_of_a_timm_model_is_measured():
    network = Reference(timm="resnet18", classes=5)
    task = dataclasses.replace(TASK, cost_size=(70, 96))
    found = made(task, network)
    spec = replace(SPEC, network=network, recipe=replace(RECIPE, task=task))
    measured = built_cost(found, spec, 5)
    assert measured["params"] == sum(each.numel() for each in found.parameters())
    own = replace(SPEC, recipe=replace(RECIPE, task=task))
    assert built_cost(made(task), own, 5)["params"] == sum(
        each.numel() for each in made(task).parameters()
    )


def test_groups_are_those_of_the_papers_mask_rcnn():
    """Stem, stages 1 and 2, three parts of stage 3, stage 4, and all else: eight groups."""
    with torch.device("meta"):
        found = made(network=load_roadmap("resnet50")["13"].spec.network)
    groups = group_parameters(found, found.group_matcher(), reverse=True)
    prefix = "backbone.body.network."
    starts = {
        "stem.": 0, "stages.0.": 1, "stages.1.": 2, "stages.2.downsampling.": 3,
        "stages.2.blocks.0.": 3, "stages.2.blocks.3.": 4, "stages.2.blocks.8.": 5, "stages.3.": 6,
    }  # fmt: skip
    for start, group in starts.items():
        own = {groups[name] for name in groups if name.startswith(prefix + start)}
        assert own == {group}, start
    assert {groups[name] for name in groups if not name.startswith(prefix)} == {7}


def test_an_image_that_would_shrink_to_nothing_is_named():
    recipe = load_recipe("tiny-detection")
    resized = Resized(recipe, recipe.task, Statistics(), 32)
    with pytest.raises(Problem, match="3000 × 1 pixels is too narrow for a long side of 96"):
        resized([torch.rand(3, 1, 3000)])
    resized([torch.rand(3, 1, 96)])


def test_boxes_keep_float32_in_a_bfloat16_run():
    """In bfloat16, coordinates from 64 pixels on are multiples of one half."""
    model = made().eval()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        features = model.backbone(torch.rand(1, 3, 96, 96))
        assert {feature.dtype for feature in features.values()} == {torch.bfloat16}
        (found,) = model([torch.rand(3, 80, 80)])
    boxes = found["boxes"]
    assert len(boxes) and boxes.dtype == found["masks"].dtype == torch.float32
    assert (boxes != boxes.bfloat16().float()).any()
