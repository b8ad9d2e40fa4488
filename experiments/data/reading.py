"""How a folder of images is read: what is held out, which labels, which way up."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from roadmap.errors import Problem, escaped


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What the options next to `--data` say about a folder or tar of images.

    `val_fraction` of each class is held out for validation, drawn by `split_seed`. `val_labels` is
    the file with the classes of validation images that lie in one folder. With `exif`, images are
    turned upright as their EXIF orientation says.
    """

    val_fraction: float | None = None
    split_seed: int = 0
    val_labels: Path | None = None
    exif: bool = False

    @property
    def options(self) -> str:
        """The options that were given, for messages."""
        given = {
            "--val-fraction": self.val_fraction is not None,
            "--val-labels": self.val_labels is not None,
            "--exif": self.exif,
        }
        return " and ".join(name for name, is_given in given.items() if is_given)

    def held_out(self, label: str, names: list[str]) -> set[str]:
        """Return the images of one class that are held out; at least one stays on each side.

        The choice depends on the seed, the class and the names of its images, not on other classes.
        A new image changes the side of few others. Raises Problem for a class of one image.
        """
        assert self.val_fraction is not None
        if len(names) < 2:
            raise Problem(
                f"class {escaped(label)} has {len(names)} image; --val-fraction needs two or more: "
                "one to train and one to validate"
            )
        count = min(max(1, round(self.val_fraction * len(names))), len(names) - 1)

        def drawn(name: str) -> bytes:
            return hashlib.sha256(f"{self.split_seed}/{label}/{name}".encode()).digest()

        return set(sorted(names, key=drawn)[:count])


PLAIN = Reading()
