"""Count what the annotations of a data set hold: objects, their sizes, pixels of each class."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy

from experiments.data.scene import UNLABELLED
from experiments.data.splits import DataSet, Split

SMALL, MEDIUM = 32**2, 96**2  # pixels; COCO calls objects below these small and medium
SHOWN = 5


@dataclass
class SplitCounts:
    """Of one split: objects of each image and class, their pixels, pixels of each class."""

    per_image: list[int] = field(default_factory=list)
    areas: list[float] = field(default_factory=list)
    crowds: int = 0
    objects: numpy.ndarray = field(default_factory=lambda: numpy.zeros(0, dtype=int))
    pixels: numpy.ndarray = field(default_factory=lambda: numpy.zeros(0, dtype=int))
    unlabelled: int = 0


@dataclass
class SceneCounts:
    """Counts by split, filled by `note` image by image."""

    names: tuple[str, ...]
    pixel_names: tuple[str, ...]
    splits: dict[str, SplitCounts]

    @classmethod
    def of(cls, data: DataSet) -> SceneCounts:
        """Return empty counts for a data set with annotations."""
        names, pixel_names = (data.source.names_for(task) for task in ("detection", "segmentation"))
        return cls(names, pixel_names, {"train": SplitCounts(), "val": SplitCounts()})

    def note(self, name: str, split: Split, index: int) -> None:
        """Count the annotations of one image. Raises BrokenImage."""
        counts = self.splits[name]
        if split.objects is not None:
            objects = split.objects(index)
            single = ~objects.crowd
            counts.per_image.append(int(single.sum()))
            counts.areas += objects.areas[single].tolist()
            counts.crowds += int(objects.crowd.sum())
            labels = objects.labels[single]
            counts.objects = _added(counts.objects, labels, len(self.names))
        if split.label_map is not None:
            values = split.label_map(index).ravel()
            counts.unlabelled += int((values == UNLABELLED).sum())
            known = values[values != UNLABELLED]
            counts.pixels = _added(counts.pixels, known, len(self.pixel_names))

    def findings(self) -> Iterator[str]:
        """Yield a line for each thing that was counted."""
        for name, counts in self.splits.items():
            if counts.per_image:
                yield from _of_objects(name, counts, self.names)
            if counts.pixels.sum():
                yield from _of_pixels(name, counts, self.pixel_names)


def _added(before: numpy.ndarray, labels: numpy.ndarray, classes: int) -> numpy.ndarray:
    counted = numpy.bincount(labels, minlength=classes)
    return counted if not len(before) else before + counted


def _of_objects(split: str, counts: SplitCounts, names: tuple[str, ...]) -> Iterator[str]:
    numbers = numpy.array(counts.per_image)
    areas = numpy.array(counts.areas)
    crowds = f", {counts.crowds:,} crowds" if counts.crowds else ""
    yield (
        f"objects in {split}: {numbers.sum():,}{crowds}; {numbers.min()} to {numbers.max()} in an "
        f"image (median {numpy.median(numbers):g})"
    )
    if not len(areas):
        return
    small, large = 100 * (areas < SMALL).mean(), 100 * (areas >= MEDIUM).mean()
    yield (
        f"their sizes: {small:.0f} % small (below 32² pixels), {100 - small - large:.0f} % medium, "
        f"{large:.0f} % large (96² and more)"
    )
    few, many = int(counts.objects.argmin()), int(counts.objects.argmax())
    yield (
        f"objects of a class in {split}: {counts.objects[few]:,} ({names[few]}) to "
        f"{counts.objects[many]:,} ({names[many]})"
    )


def _of_pixels(split: str, counts: SplitCounts, names: tuple[str, ...]) -> Iterator[str]:
    shares = 100 * counts.pixels / counts.pixels.sum()
    order = shares.argsort()[::-1][:SHOWN]
    listed = ", ".join(f"{names[each]} {shares[each]:.1f} %" for each in order)
    unlabelled = 100 * counts.unlabelled / (counts.unlabelled + counts.pixels.sum())
    rest = f"; unlabelled {unlabelled:.1f} %" if counts.unlabelled else ""
    yield f"pixels in {split}, most common classes: {listed}{rest}"
    absent = [names[each] for each in numpy.flatnonzero(counts.pixels == 0)]
    if absent:
        more = f", … ({len(absent)})" if len(absent) > SHOWN else ""
        yield f"classes without a pixel in {split}: {', '.join(absent[:SHOWN])}{more}"
