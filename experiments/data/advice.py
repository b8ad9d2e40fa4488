"""What a survey of images means for training, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import sqrt

from experiments.data.survey import Survey

FEW, SOME, MANY = 2_000, 20_000, 500_000  # training images, all classes together
FEW_VALIDATED = 500
UNEVEN = 3.0  # ratio of the largest to the smallest class
SHOWN = 5


def findings(
    survey: Survey,
    names: Sequence[str],
    left_out: Mapping[str, Mapping[str, int]],
    *,
    exif: bool | None,
) -> Iterator[str]:
    """Yield a line for each thing that was found; `names` are those of the classes.

    `exif` says whether images are turned upright; None if these data have no such option.
    """
    for where, counts in left_out.items():
        listed = ", ".join(f"{what} ({count:,})" for what, count in sorted(counts.items()))
        yield f"left out of {where}: {listed}"
        if ".jfif" in counts:
            yield "  .jfif files are JPEG files: rename them to .jpg"
    yield f"images: {_pixels(survey.widths)} wide, {_pixels(survey.heights)} high"
    if survey.modes:
        counted = ", ".join(f"{mode} ({count:,})" for mode, count in survey.modes.most_common())
        yield f"modes: {counted}"
    for split, sizes in survey.classes.items():
        known = [size for size in sizes if size] or [0]
        least, most = min(known), max(known)
        if least == most:
            yield f"class sizes in {split}: {most:,} each"
            continue
        small, large = sizes.index(least), sizes.index(most)
        yield (
            f"class sizes in {split}: {least:,} ({_class(names, small)}) to {most:,} "
            f"({_class(names, large)})"
        )
    if survey.turned:
        how = "turned upright (--exif)" if exif else "used as stored"
        if exif is False:
            how += "; --exif turns them upright"
        images = _images(survey.turned)
        yield f"EXIF: {images} stored turned or mirrored; {how}"
    if survey.dark:
        yield (
            f"16 bits: {_images(survey.dark)} with only 12 bits in use, nearly black; scale the "
            "values by 16"
        )
    for pairs, what in ((survey.exact, "the same pixels"), (survey.near, "nearly the same")):
        if pairs:
            yield f"in both splits, {what}: {_images(len(pairs), 'validation image')}"
            yield from (f"  {one} and {other}" for one, other in pairs[:SHOWN])
            if len(pairs) > SHOWN:
                yield f"  … and {len(pairs) - SHOWN:,} more"
    if not survey.compared:
        yield "duplicates were not looked for: too many images"


def advice(survey: Survey) -> Iterator[str]:
    """Yield what to do, in words, the most important first."""
    train, val = (sum(survey.classes[split]) for split in ("train", "val"))
    if train < FEW:
        yield f"{train:,} images from scratch: expect little; start from weights"
    elif train < SOME:
        yield (
            f"{train:,} images from scratch: enough for small networks at small sizes; start from "
            "weights for more"
        )
    elif train < MANY:
        yield f"{train:,} images: enough to train small and medium networks from scratch"
    else:
        yield f"{train:,} images: enough to train the paper's networks from scratch"
    if copies := len(survey.exact) + len(survey.near):
        yield (
            f"also in training: {copies:,} of {_images(val, 'validation image')}; accuracies will "
            "be too high; move each pair to one side"
        )
    if val < FEW_VALIDATED:
        half = 100 * 1.96 * sqrt(0.25 / val)
        yield (
            f"{val:,} validation images: an accuracy near 50 % is known to ±{half:.0f} points; "
            "small differences between rows will stay open"
        )
    counts = [count for count in survey.classes["train"] if count]
    if counts and max(counts) >= UNEVEN * min(counts):
        yield (
            f"the largest class has {max(counts) / min(counts):.0f} times the images of the "
            "smallest: look at mean_recall (roadmap evaluate); recipe.sampling=balanced or "
            "recipe.class_weights=balanced may help"
        )


def _pixels(three: tuple[int, float, int]) -> str:
    least, middle, most = three
    if least == most:
        return f"{least} px"
    return f"{least} to {most} px (median {middle:.0f})"


def _images(count: int, what: str = "image") -> str:
    return f"{count:,} {what}{'s' * (count != 1)}"


def _class(names: Sequence[str], index: int) -> str:
    return names[index] if index < len(names) else str(index)
