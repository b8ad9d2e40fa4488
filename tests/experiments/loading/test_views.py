"""Views: timm, Pillow and a device make the same bits of the same images."""

import math
from collections import Counter

import numpy
import pytest
import torch
from PIL import Image
from timm.data import create_transform
from torch.utils._python_dispatch import TorchDispatchMode

from experiments.data.splits import Split, Statistics
from experiments.loading.packet import Packet
from experiments.loading.rng import isolated_rng, seed_rng
from experiments.loading.samplers import NO_IMAGE
from experiments.loading.views import Evaluated, Held, HeldOnDevice, Streamed
from roadmap.edit import replace
from steps.recipes.load import load_recipe, shipped


def pictures(count, sizes=((40, 52), (64, 48), (37, 91))):
    """Images of several sizes: smooth shapes, noise, one flat."""
    generator = numpy.random.default_rng(0)
    images = []
    for number in range(count):
        height, width = sizes[number % len(sizes)]
        coarse = generator.integers(0, 256, (6, 6, 3), dtype=numpy.uint8)
        smooth = numpy.asarray(Image.fromarray(coarse).resize((width, height), Image.BICUBIC))
        noise = generator.integers(-20, 20, smooth.shape)
        images.append((smooth + noise).clip(0, 255).astype(numpy.uint8))
    images[0][:] = 77
    return images


def split_of(arrays):
    return Split(
        image=lambda index: Image.fromarray(arrays[index]),
        labels=numpy.arange(len(arrays)),
        arrays=arrays,
    )


def by_timm(split, recipe, seed, statistics, keys):
    """The images as timm makes them, one by one."""
    transform = create_transform(
        recipe.image_size,
        is_training=True,
        scale=recipe.crop_scale,
        hflip=recipe.flip,
        color_jitter=None,
        auto_augment=recipe.randaugment,
        interpolation=recipe.interpolation,
        re_prob=recipe.erasing,
        re_mode="pixel",
        mean=statistics.mean,
        std=statistics.std,
    )
    images = []
    with isolated_rng():
        for epoch, index in keys:
            seed_rng(seed, epoch, index)
            images.append(transform(split.image(index)))
    return torch.stack(images)


CPU = torch.device("cpu")


@pytest.mark.slow
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
def test_all_views_make_what_timm_makes_to_the_bit(changes):
    """150 images in 2 epochs: opened one by one, held in memory, and as tensors on a device."""
    recipe = replace(load_recipe("imagenet-enhanced"), image_size=40, **changes)
    split = split_of(pictures(300))
    statistics = split.statistics() if recipe.statistics == "data" else Statistics()
    keys = [(epoch, index) for epoch in (0, 1) for index in range(0, 300, 2)]
    given = (split, recipe, 5, statistics)
    expected = by_timm(*given, keys)
    for views in (Streamed(*given), Held(*given), HeldOnDevice(*given, CPU)):
        for images, labels in (views[keys], views.finish(views.pick(keys))):
            assert torch.equal(images, expected)
            assert labels.tolist() == [index for _, index in keys]
            assert images.is_contiguous(memory_format=torch.channels_last)
    assert not torch.equal(expected, by_timm(split, recipe, 6, statistics, keys))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("size", [7, 33, 64])
@pytest.mark.parametrize("kind", ["bilinear", "bicubic"])
def test_a_device_makes_what_timm_makes_for_odd_sizes_and_single_images(size, kind, seed):
    sizes = ((1, 1), (3, 200), (9, 7), (size, size), (31, 32), (64, 63), (150, 5))
    recipe = replace(
        load_recipe("imagenet-enhanced"),
        image_size=size,
        interpolation=kind,
        randaugment="rand-m9-n3-p0.8-mstd1-inc1",
        erasing=0.5,
    )
    given = (split_of(pictures(56, sizes)), recipe, seed, Statistics())
    held = HeldOnDevice(*given, CPU)
    keys = [(seed, index) for index in range(56)]
    assert torch.equal(held[keys][0], by_timm(*given, keys))
    for key in keys[:7]:  # batches of one: most kinds of operation have no image
        assert torch.equal(held[[key]][0], by_timm(*given, [key]))


class Counted(TorchDispatchMode):
    """Count the torch operations that are dispatched, and those that wait for a GPU."""

    def __init__(self):
        super().__init__()
        self.operations, self.waits = Counter(), Counter()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = function.overloadpacket.__name__
        self.operations[name] += 1
        indices = [index for part in args[1:2] if isinstance(part, list | tuple) for index in part]
        by_mask = name.startswith("index") and any(
            isinstance(index, torch.Tensor) and index.dtype in (torch.bool, torch.uint8)
            for index in indices
        )
        if by_mask or name in (
            "_local_scalar_dense", "item", "nonzero", "masked_select", "is_nonzero", "equal",
            "unique_dim", "_unique2", "bincount", "repeat_interleave",
        ):  # fmt: skip
            self.waits[name] += 1
        return function(*args, **(kwargs or {}))


@pytest.fixture(scope="module")
def cifar():
    """1,024 images of 32 pixels, to be augmented by the enhanced recipe at 64."""
    arrays = pictures(1024, sizes=((32, 32),))
    given = (split_of(arrays), load_recipe("cifar-enhanced"), 0, Statistics())
    return HeldOnDevice(*given, CPU)


@pytest.mark.slow
def test_the_number_of_operations_does_not_depend_on_the_batch(cifar):
    counts = {}
    for batch in (2, 64, 256, 1024):
        packet = Packet.pack(cifar.pick([(0, index) for index in range(batch)]))
        with Counted() as counted:
            cifar.finish(packet.to(CPU).unpack())
        assert not counted.waits
        counts[batch] = counted.operations.total()
    assert len(set(counts.values())) == 1 and counts[64] <= 400, counts


AUGMENTED = {
    name: recipe
    for name in shipped()
    if (recipe := load_recipe(name)).task is None and recipe.crop_scale is not None
}
MORE = {f"n{n}": {"randaugment": f"rand-m9-n{n}-mstd0.5"} for n in (1, 3, 4)}


@pytest.mark.slow
@pytest.mark.parametrize("name", [*AUGMENTED, *MORE])
def test_each_layer_of_operations_adds_its_part_to_those_of_a_batch(name):
    """75 and 145 for each layer: as docs/performance.md says. Two layers are at most 400."""
    recipe = AUGMENTED.get(name) or replace(AUGMENTED["imagenet-enhanced"], **MORE[name])
    given = (split_of(pictures(12)), replace(recipe, image_size=24), 0, Statistics())
    views = HeldOnDevice(*given, CPU)
    decided = views.pick([(0, index) for index in range(12)])
    with Counted() as counted:
        views.finish(decided)
    layers = views.augmentation.augmentation.layers
    assert counted.operations.total() <= 75 + 145 * layers, (counted.operations.total(), layers)
    assert not counted.waits


def test_the_count_of_waits_sees_them():
    values = torch.arange(4)
    with Counted() as counted:
        values[values > 1]
        values.sum().item()
        values[values > 2] = 0
    assert counted.waits == {"index": 1, "_local_scalar_dense": 1, "index_put_": 1}


def test_streamed_and_evaluated_batches_wait_for_nothing_on_the_device():
    recipe = replace(load_recipe("imagenet-enhanced"), image_size=24)
    split = split_of(pictures(12))
    for views, keys in (
        (Streamed(split, recipe, 0, Statistics()), [(0, index) for index in range(12)]),
        (Evaluated(split, recipe, Statistics(), hold=True, device=CPU), [0, 5, NO_IMAGE]),
        (Evaluated(split, recipe, Statistics(), hold=False), [0, 5, NO_IMAGE]),
    ):
        arrays = views.pick(keys)
        assert all(
            tensor.dtype != torch.float32 or tensor.dim() == 1 for tensor in arrays.tensors.values()
        )  # images cross as uint8
        with Counted() as counted:
            views.finish(arrays)
        assert not counted.waits and counted.operations.total() < 20


class Divisors(TorchDispatchMode):
    """Collect the numbers, no tensors, by which tensors of floating point are divided."""

    def __init__(self):
        super().__init__()
        self.found = set()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        division = function.overloadpacket.__name__ in ("div", "div_", "true_divide")
        if division and result.is_floating_point() and not isinstance(args[1], torch.Tensor):
            self.found.add(args[1])
        return result


def test_a_device_divides_as_a_cpu_does():
    """CUDA multiplies by the reciprocal of a number: exact for a power of two alone."""
    recipe = replace(load_recipe("imagenet-enhanced"), image_size=24)
    split = split_of(pictures(12))
    given = (split, recipe, 0, Statistics())
    for views, keys in (
        (HeldOnDevice(*given, CPU), [(0, index) for index in range(12)]),
        (Streamed(*given), [(0, index) for index in range(12)]),
        (Evaluated(split, recipe, Statistics(), hold=True, device=CPU), [0, 5, NO_IMAGE]),
    ):
        arrays = views.pick(keys)
        with Divisors() as divisors:
            views.finish(arrays)
        assert all(math.frexp(number)[0] == 0.5 for number in divisors.found), divisors.found
    with Divisors() as divisors:
        torch.ones(3).div_(255)
        torch.ones(3) / torch.ones(1)
    assert divisors.found == {255}


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
    held, streamed = (Evaluated(split, recipe, Statistics(), hold=hold) for hold in (True, False))
    on_device = Evaluated(split, recipe, Statistics(), hold=True, device=CPU)
    for indices in ([0, 1, 2], [8, NO_IMAGE]):
        images, labels = streamed[indices]
        for views in (held, on_device):
            assert torch.equal(views[indices][0], images)
            assert torch.equal(views[indices][1], labels)
    assert held[[8, NO_IMAGE]][1].tolist() == [8, NO_IMAGE]


def test_color_jitter_is_timms_and_a_device_makes_the_same():
    arrays, statistics = pictures(12), Statistics()
    recipe = replace(load_recipe("tiny-old"), color_jitter=0.4)
    split, keys = split_of(arrays), [(0, index) for index in range(12)]
    streamed, _ = Streamed(split, recipe, 3, statistics)[keys]
    held, _ = Held(split, recipe, 3, statistics)[keys]
    on_device, _ = HeldOnDevice(split, recipe, 3, statistics, torch.device("cpu"))[keys]
    plain, _ = Held(split, replace(recipe, color_jitter=0.0), 3, statistics)[keys]
    assert torch.equal(held, streamed) and torch.equal(on_device, streamed)
    assert not torch.equal(held, plain)


def test_validation_images_can_have_a_size_of_their_own():
    recipe = replace(load_recipe("tiny-old"), evaluation_size=64)
    split = split_of(pictures(3))
    images, _ = Evaluated(split, recipe, Statistics(), hold=True)[[0, 1, 2]]
    assert images.shape == (3, 3, 64, 64)
