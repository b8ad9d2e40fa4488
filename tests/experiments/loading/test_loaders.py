"""Folders, tars, timm's data sets; batches, shares and evaluation, each image once."""

import io
import json
import struct
import tarfile

import numpy
import pytest
import torch
from PIL import Image

from experiments.data.splits import Split, Statistics
from experiments.host.machine import Machine
from experiments.loading.loaders import Loading, choose_loading
from experiments.loading.samplers import NO_IMAGE, EpochSampler, EvaluationSampler, Share
from experiments.loading.views import Evaluated, Held, HeldOnDevice, Streamed
from roadmap.edit import replace
from roadmap.errors import Problem
from steps.recipes.load import load_recipe


def pictures(count, sizes=((40, 52), (64, 48), (37, 91))):
    """Images of several sizes: smooth shapes, noise, one flat."""
    generator = numpy.random.default_rng(0)
    found = []
    for number in range(count):
        height, width = sizes[number % len(sizes)]
        coarse = generator.integers(0, 256, (6, 6, 3), dtype=numpy.uint8)
        smooth = numpy.asarray(Image.fromarray(coarse).resize((width, height), Image.BICUBIC))
        noise = generator.integers(-20, 20, smooth.shape)
        found.append((smooth + noise).clip(0, 255).astype(numpy.uint8))
    found[0][:] = 77
    return found


def split_of(arrays):
    return Split(
        image=lambda index: Image.fromarray(arrays[index]),
        labels=numpy.arange(len(arrays)),
        arrays=arrays,
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"randaugment": None, "erasing": 0.0},
        {"randaugment": None, "erasing": 1.0, "flip": 0.0},
        {"interpolation": "bilinear"},
        {"crop_scale": (0.5, 1.0), "randaugment": "rand-m3-mstd0.5-inc1"},
        {"randaugment": "rand-m10-n4-p1-mstd101"},
        {"randaugment": "rand-m7-n3-inc0", "statistics": "data"},
        {},
    ],
    ids=str,
)
def test_held_images_are_augmented_to_the_bit_as_timm_does(changes):
    """300 images each: opened one by one with timm, in memory, and as tensors on a device."""
    recipe = replace(load_recipe("imagenet-enhanced"), image_size=40, **changes)
    split = split_of(pictures(300))
    statistics = split.statistics() if recipe.statistics == "data" else Statistics()
    keys = [(epoch, index) for epoch in (0, 1) for index in range(0, 300, 2)]
    streamed, labels = Streamed(split, recipe, 5, statistics)[keys]
    given = (split, recipe, 5, statistics)
    for views in (Held(*given), HeldOnDevice(*given, torch.device("cpu"))):
        held, same = views[keys]
        assert torch.equal(held, streamed) and torch.equal(same, labels)
    assert not torch.equal(streamed, Streamed(split, recipe, 6, statistics)[keys][0])


def test_every_operation_of_randaugment_is_met_in_those_tests():
    split, seen = split_of(pictures(300)), set()
    held = Held(split, load_recipe("imagenet-enhanced"), 5, Statistics())
    for index in range(300):
        torch.manual_seed(index)
        seen.update(
            operation.__name__ for operation, _ in held.augmentation.draw(40, 40).operations
        )
    assert len(seen) == 15


def test_held_evaluation_is_the_streamed_one():
    recipe = replace(load_recipe("imagenet-old"), image_size=40)
    split = split_of(pictures(9))
    held, streamed = (Evaluated(split, recipe, Statistics(), hold=each) for each in (True, False))
    for indices in ([0, 1, 2], [8, NO_IMAGE]):
        one, other = held[indices], streamed[indices]
        assert torch.equal(one[0], other[0]) and torch.equal(one[1], other[1])
    assert held[[8, NO_IMAGE]][1].tolist() == [8, NO_IMAGE]


@pytest.mark.parametrize("size", [1, 2, 15, 16, 17, 1001])
@pytest.mark.parametrize("batch", [1, 4, 128])
@pytest.mark.parametrize("world", [1, 2, 3, 8])
def test_evaluation_counts_each_image_once(size, batch, world):
    shares = [
        list(EvaluationSampler(size, batch, Share(rank=rank, world=world))) for rank in range(world)
    ]
    assert len({tuple(map(len, each)) for each in shares}) == 1  # as many batches, of one size
    found = [index for each in shares for part in each for index in part if index != NO_IMAGE]
    assert sorted(found) == list(range(size))


@pytest.mark.parametrize(("world", "accumulate"), [(1, 4), (2, 1), (2, 2), (4, 1)])
def test_a_step_sees_the_same_images_and_pairs_however_it_is_shared(world, accumulate):
    whole = list(EpochSampler(70, 16, seed=1))
    portions = [[] for _ in whole]
    for rank in range(world):
        share = Share(rank=rank, world=world, accumulate=accumulate)
        batches = list(EpochSampler(70, 16, seed=1, share=share))
        assert len(batches) == 4 * accumulate
        for number, batch in enumerate(batches):
            portions[number // accumulate].append(batch)
    for step, parts in zip(whole, portions, strict=True):
        assert sorted(key for part in parts for key in part) == sorted(step)
        pairs = {frozenset(pair) for pair in zip(step, step[::-1], strict=True)}
        for part in parts:
            assert {frozenset(pair) for pair in zip(part, part[::-1], strict=True)} <= pairs


def test_a_batch_that_cannot_be_shared_out_is_named():
    with pytest.raises(Problem, match="batch 10 cannot be shared out among 2 devices × 2 portions"):
        EpochSampler(70, 10, seed=0, share=Share(world=2, accumulate=2))


def write_mnist(root, validated=3):
    """30 training and 7 validation images in MNIST's files, of 3 and of `validated` classes."""
    raw = root / "MNIST" / "raw"
    raw.mkdir(parents=True)
    generator = numpy.random.default_rng(0)
    for split, count, classes in (("train", 30, 3), ("t10k", 7, validated)):
        pixels = generator.integers(0, 256, (count, 28, 28), dtype=numpy.uint8)
        head = struct.pack(">4i", 2051, count, 28, 28)
        (raw / f"{split}-images-idx3-ubyte").write_bytes(head + pixels.tobytes())
        labels = (numpy.arange(count) % classes).astype(numpy.uint8)
        head = struct.pack(">2i", 2049, count)
        (raw / f"{split}-labels-idx1-ubyte").write_bytes(head + labels.tobytes())


TRAIN, VAL = "set-train-0000.tar", "set-validation-0000.tar"


def write_shards(root, *, alternative=False):
    """24 training images in two shards and 6 to validate in one, as WebDataset has them."""
    root.mkdir()
    arrays, splits, number = pictures(30), {}, 0
    for split, shards in (("train", (12, 12)), ("validation", (6,))):
        names = [f"set-{split}-{shard:04}.tar" for shard in range(len(shards))]
        described = {"name": split, "filenames": names, "shard_lengths": list(shards),
                     "num_samples": sum(shards)}  # fmt: skip
        splits[split] = described | ({"alt_label": "real"} if alternative else {})
        for name, count in zip(names, shards, strict=True):
            for index in range(number, number + count):
                key, ending = f"n{index:05}", ("jpg", "png", "webp")[index % 3]
                picture, kind = io.BytesIO(), {"jpg": "JPEG"}.get(ending, ending.upper())
                Image.fromarray(arrays[index]).save(picture, kind)
                real = -1 if index % 5 == 0 else index % 4
                add(root / name, f"{key}.cls", str(index % 3).encode())
                add(root / name, f"{key}.{ending}", picture.getvalue())
                add(root / name, f"{key}.json", json.dumps({"real": real}).encode())
            number += count
    (root / "_info.json").write_text(json.dumps({"splits": splits}))
    return root


def add(shard, name, content):
    with tarfile.open(shard, "a") as archive:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))


def add_both(shard, key, label):
    add(shard, f"{key}.cls", label)
    add(shard, f"{key}.jpg", b"not opened here")


def rename(root, split, other, behind='": {'):
    info = root / "_info.json"
    info.write_text(info.read_text().replace(f"{split}{behind}", f"{other}{behind}"))


def test_images_are_held_where_they_fit(monkeypatch):
    recipe = load_recipe("tiny-enhanced")
    data = type("Data", (), {"train": split_of(pictures(30)), "val": split_of(pictures(30))})()
    machine = Machine(threads=2, workers=1)
    assert choose_loading(data, recipe, machine) == Loading(held=True, workers=0)
    for images, held in (("stream", False), ("memory", True)):
        given = Machine(threads=2, workers=1, images=images)
        assert choose_loading(data, recipe, given).held is held
    monkeypatch.setattr("experiments.loading.loaders._memory", lambda: 4 * data.train.bytes)
    assert choose_loading(data, recipe, machine) == Loading(held=False, workers=1)
    enough = 4 * (data.train.bytes + data.val.bytes + 30 * 3 * recipe.image_size**2)
    monkeypatch.setattr("experiments.loading.loaders._memory", lambda: enough)
    assert choose_loading(data, recipe, machine).held
    # every process holds them all; without a crop the training images are kept resized, too
    assert not choose_loading(data, recipe, Machine(threads=1, workers=1, devices=2)).held
    plain = {"crop_scale": None, "flip": 0.0, "randaugment": None, "erasing": 0.0}
    assert not choose_loading(data, replace(recipe, **plain), machine).held
