"""A recipe's augmentation of a whole batch at once, for images that are held on a device.

Operations of one kind are done together, each to the bit as timm has Pillow do it. The number of
torch operations does not depend on the batch, and none of them waits for the device.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy
import torch
from torch import Tensor

from experiments.loading import decisions, pixels
from experiments.loading.augmentation import Augmentation, Drawn
from experiments.loading.erasing import erase, normalize
from experiments.loading.packet import Arrays, Packet
from experiments.loading.resampling import Resampling
from roadmap.spec import Recipe

Images = Sequence[numpy.ndarray] | numpy.ndarray  # (height, width, 3) each

BLOCK = 64 << 20  # bytes; images are copied to the device in blocks of about this size
PER_PIXEL = 8 + 3 + 24  # bytes of a crop: the pixel's place, its colours, and those as float64


def is_supported(augmentation: Augmentation) -> bool:
    """Return whether every operation that the recipe can draw has its counterpart here."""
    return all(operation in decisions.KIND for operation in augmentation.operations)


def working_bytes(recipe: Recipe, batch: int, longest: int) -> int:
    """Return the bytes that a device needs in addition to images of up to `longest` pixels a side.

    These are the weights that resize, and the crops of a batch before they are resized.
    """
    tables = Resampling.bytes_up_to(longest, recipe.image_size, recipe.interpolation)
    return tables + batch * longest**2 * PER_PIXEL


@dataclass(frozen=True, kw_only=True)
class HeldPixels:
    """Images of any sizes in one tensor on a device: (all pixels, 3), uint8."""

    pixels: Tensor
    longest: int  # side of any image, in pixels

    @classmethod
    def copied(cls, images: Images, device: torch.device) -> HeldPixels:
        """Copy images (height, width, 3) to the device."""
        total = sum(image.shape[0] * image.shape[1] for image in images)
        held = torch.empty(total, 3, dtype=torch.uint8, device=device)
        block: list[numpy.ndarray] = []
        start = waiting = 0
        for number, image in enumerate(images, 1):
            block.append(image.reshape(-1, 3))
            waiting += len(block[-1])
            if 3 * waiting >= BLOCK or number == len(images):
                held[start : start + waiting] = torch.from_numpy(numpy.concatenate(block))
                start, waiting, block = start + waiting, 0, []
        return cls(pixels=held, longest=max(max(image.shape[:2]) for image in images))


def places(images: Images) -> list[tuple[int, int]]:
    """Return each image's first pixel in HeldPixels, and its width."""
    areas = [image.shape[0] * image.shape[1] for image in images]
    starts = numpy.cumsum([0, *areas[:-1]]).tolist()
    return [(start, image.shape[1]) for start, image in zip(starts, images, strict=True)]


class DeviceOperations:
    """Does to a batch of crops, on their device, what was decided elsewhere."""

    def __init__(self, augmentation: Augmentation, device: torch.device) -> None:
        self.augmentation = augmentation
        self.kind = augmentation.recipe.interpolation
        self.fill = torch.tensor(augmentation.fill, dtype=torch.uint8, device=device)

    def finish(self, batch: Tensor, decided: Arrays) -> Tensor:
        """Return the batch (batch, 3, size, size), normalized, channels last in memory.

        The given one, uint8, is changed.
        """
        for layer in range(self.augmentation.layers):
            self._operate(batch, decided, layer)
        made = normalize(batch, self.augmentation.statistics)
        return erase(made, decided.tensors["noise"], decided.tensors["noise_at"])

    def _operate(self, batch: Tensor, decided: Arrays, layer: int) -> None:
        """Change, in place, the images that have an operation in this layer of RandAugment."""
        members, tables, factors, matrices = (
            decided.tensors[f"{name}{layer}"]
            for name in ("members", "tables", "factors", "matrices")
        )
        kinds = decided.counts[f"kinds{layer}"]
        looked_up, blended = sum(kinds[: decisions.CONTRAST]), sum(kinds[decisions.CONTRAST : -1])
        parts = batch.index_select(0, members).split((looked_up, blended, kinds[decisions.MOVE]))
        changed = (
            _looked_up(parts[0], tables, kinds),
            _blended(parts[1], factors, kinds),
            pixels.affine(parts[2], matrices, self.kind, self.fill),
        )
        batch.index_copy_(0, members, torch.cat(changed))


class DeviceAugmentation(DeviceOperations):
    """Makes batches, on the device that holds the images, of what was decided elsewhere."""

    def __init__(self, augmentation: Augmentation, held: HeldPixels) -> None:
        device = held.pixels.device
        super().__init__(augmentation, device)
        self.held = held
        size = augmentation.recipe.image_size
        self.resampling = Resampling.up_to(held.longest, size, self.kind, device)
        self.steps = torch.arange(held.longest, device=device)
        self._make_constants(device)

    def _make_constants(self, device: torch.device) -> None:
        """Augment one pixel: makes what is made once, since copying it to a GPU waits."""
        drawn, size = [Drawn(crop=(0, 0, 1, 1))], self.augmentation.recipe.image_size
        decided = decisions.decisions(drawn, [(0, 1)], size, self.augmentation.layers)
        self.apply(Packet.pack(decided).to(device).unpack())

    def apply(self, decided: Arrays) -> Tensor:
        """Return the batch (batch, 3, size, size), normalized, channels last in memory."""
        batch = self._cropped(decided.tensors["crops"], *decided.counts["crop"])
        return self.finish(batch, decided)

    def _cropped(self, crops: Tensor, height: int, width: int) -> Tensor:
        """Return the crops, resized and mirrored; `height` and `width` hold the largest."""
        corner, stride, last_row, last_column, across, down = crops.unsqueeze(2).unbind(1)
        row = torch.minimum(self.steps[:height], last_row) * stride + corner
        column = torch.minimum(self.steps[:width], last_column)
        place = row.unsqueeze(2) + column.unsqueeze(1)  # (batch, height, width)
        crops = self.held.pixels.index_select(0, place.view(-1)).view(*place.shape, 3)
        return self.resampling.resize(crops, across.squeeze(1), down.squeeze(1))


def _looked_up(images: Tensor, tables: Tensor, kinds: tuple[int, ...]) -> Tensor:
    _, stretched, equalized = images.split(kinds[: decisions.CONTRAST])
    given = tables.unsqueeze(1).expand(-1, 3, -1)
    parts = (given, pixels.stretching(stretched), pixels.equalizing(equalized))
    return pixels.look_up(images, torch.cat(parts))


def _blended(images: Tensor, factors: Tensor, kinds: tuple[int, ...]) -> Tensor:
    contrast, colour, sharpness = kinds[decisions.CONTRAST : decisions.MOVE]
    coloured, sharpened = images.split((contrast + colour, sharpness))
    for_contrast, luma = pixels.grey(coloured).split((contrast, colour))
    mean = pixels.mean(for_contrast)
    others = (
        mean.float().expand(-1, *images.shape[1:]),
        luma.float().expand(-1, 3, -1, -1),
        pixels.smooth(sharpened).float(),
    )
    return pixels.blend(images, torch.cat(others), factors)
