"""Training batches of JPEG files that a GPU decodes and augments (`--decode gpu`).

The pixels differ a little from Pillow's: nvJPEG rounds in another way, and crops are resized in
floating point. What happens to each image is drawn as elsewhere. Decoding may wait for the GPU.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Sequence

import numpy
import torch
from torch import Tensor

from experiments.data.images import BrokenImage, named, open_image
from experiments.data.splits import Split, Statistics
from experiments.loading.augmentation import Augmentation
from experiments.loading.decisions import decisions
from experiments.loading.gpu_augmentation import DeviceOperations
from experiments.loading.packet import Arrays
from experiments.loading.rng import isolated_rng, seed_rng
from experiments.loading.samplers import Key
from experiments.loading.views import Batch, Views
from roadmap.errors import escaped
from roadmap.spec import Recipe

MODES = ("RGB", "L")  # of JPEG files that nvJPEG reads as RGB

# JPEG files, a device → uint8 images (3, height, width) there. Raises RuntimeError.
Decoder = Callable[[Sequence[Tensor], torch.device], list[Tensor]]


def decode(files: Sequence[Tensor], device: torch.device) -> list[Tensor]:
    """Decode JPEG files, as a batch on a GPU, with torchvision."""
    from torchvision.io import ImageReadMode, decode_jpeg

    if device.type == "cuda":
        # torchvision writes on a stream of its own into memory of the current one. That memory may
        # be that of the last batch's images, which are freed before the GPU has resized them.
        torch.cuda.current_stream(device).synchronize()
    with warnings.catch_warnings():  # torchvision deprecates it in favour of a package of its own
        warnings.simplefilter("ignore", DeprecationWarning)
        return decode_jpeg(list(files), mode=ImageReadMode.RGB, device=device)


class Decoded(Views):
    """Training batches of JPEG files, decoded and augmented on `device`."""

    def __init__(
        self,
        split: Split,
        recipe: Recipe,
        seed: int,
        statistics: Statistics,
        device: torch.device,
        decode: Decoder = decode,
    ) -> None:
        assert split.files is not None
        self.split, self.files, self.seed = split, split.files, seed
        self.decode, self.device = decode, device
        self.augmentation = Augmentation(recipe, statistics)
        self.operations = DeviceOperations(self.augmentation, device)

    def pick(self, keys: Sequence[Key]) -> Arrays:
        """Return the files, and what happens to each image."""
        contents, drawn = [], []
        with isolated_rng():
            for epoch, index in keys:
                content, (width, height) = self._read(index)
                contents.append(numpy.frombuffer(content, dtype=numpy.uint8))
                seed_rng(self.seed, epoch, index)
                drawn.append(self.augmentation.draw(height, width))
        indices = [index for _, index in keys]
        size, layers = self.augmentation.recipe.image_size, self.augmentation.layers
        decided = decisions(drawn, [(0, 0)] * len(drawn), size, layers)
        flips = torch.tensor([image.flip for image in drawn])
        labels = torch.from_numpy(self.split.labels[indices])
        boxes = tuple(number for image in drawn for number in image.crop)
        return Arrays(
            tensors={**decided.tensors, "flips": flips, "labels": labels},
            counts={**decided.counts, "boxes": boxes, "indices": tuple(indices)},
            files=tuple(contents),
        )

    def _read(self, index: int) -> tuple[bytearray, tuple[int, int]]:
        """Return the bytes of a JPEG file, and its width and height."""
        file = self.files[index]
        with named(str(file)):
            content = file.open().read()
            image = open_image(io.BytesIO(content))
            if image.format != "JPEG" or image.mode not in MODES:
                raise ValueError(
                    f"--decode gpu reads JPEG in RGB or grey, not {image.format} in {image.mode}; "
                    "prepare-data writes a copy that it can read"
                )
            return bytearray(content), image.size  # as torch wants it, which can be written to

    def finish(self, arrays: Arrays) -> Batch:
        """Decode the files, then make the images of what was decided."""
        boxes = numpy.reshape(arrays.counts["boxes"], (-1, 4)).tolist()
        images = self._decoded(arrays)
        made = [self._resized(image, *box) for image, box in zip(images, boxes, strict=True)]
        batch = torch.cat(made).round_().clamp_(0, 255).to(torch.uint8)
        flips = arrays.tensors["flips"].view(-1, 1, 1, 1)
        batch = torch.where(flips, batch.flip(3), batch)
        return self.operations.finish(batch, arrays), arrays.tensors["labels"]

    def _decoded(self, arrays: Arrays) -> list[Tensor]:
        """Return the images; raise BrokenImage that names the one that cannot be decoded."""
        files = [torch.from_numpy(content) for content in arrays.files]
        try:
            return self.decode(files, self.device)
        except RuntimeError:
            for content, index in zip(files, arrays.counts["indices"], strict=True):
                try:
                    self.decode([content], self.device)
                except RuntimeError as error:
                    reason = escaped(str(error).splitlines()[0])
                    raise BrokenImage(
                        f"image {self.files[index]} cannot be decoded on the GPU: {reason}; "
                        "--decode cpu may read it"
                    ) from error
            raise

    def _resized(self, image: Tensor, top: int, left: int, height: int, width: int) -> Tensor:
        """Return a crop, resized: (1, 3, size, size), float32."""
        recipe = self.augmentation.recipe
        size = (recipe.image_size, recipe.image_size)
        if not (height and width):  # a crop of a tiny image can be; it becomes black
            return torch.zeros(1, 3, *size, device=image.device)
        crop = image[None, :, top : top + height, left : left + width].float()
        return torch.nn.functional.interpolate(
            crop, size, mode=recipe.interpolation, antialias=True
        )
