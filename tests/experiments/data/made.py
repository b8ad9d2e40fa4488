"""Images and shards that tests make."""

import io
import json
import tarfile

import numpy
from PIL import Image


def pictures(count, sizes=((40, 52), (64, 48), (37, 91))):
    """Images of several sizes: smooth shapes, noise, one flat."""
    generator = numpy.random.default_rng(0)
    made = []
    for number in range(count):
        height, width = sizes[number % len(sizes)]
        coarse = generator.integers(0, 256, (6, 6, 3), dtype=numpy.uint8)
        smooth = numpy.asarray(Image.fromarray(coarse).resize((width, height), Image.BICUBIC))
        noise = generator.integers(-20, 20, smooth.shape)
        made.append((smooth + noise).clip(0, 255).astype(numpy.uint8))
    made[0][:] = 77
    return made


def write_shards(root, *, alternative=False):
    """24 training images in two shards and 6 to validate in one, as WebDataset has them."""
    root.mkdir()
    arrays, splits, number = pictures(30), {}, 0
    for split, shards in (("train", (12, 12)), ("validation", (6,))):
        names = [f"set-{split}-{shard:04}.tar" for shard in range(len(shards))]
        described = {"filenames": names, "shard_lengths": list(shards)}
        described |= {"name": split, "num_samples": sum(shards)}
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


def add_both(shard, key, label, image=b"not opened here"):
    add(shard, f"{key}.cls", label)
    add(shard, f"{key}.jpg", image)
