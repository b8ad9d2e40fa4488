"""The note in a prepared copy of an image folder: which images it was made of, and how."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields

from roadmap.errors import Problem, escaped

NOTE = "roadmap-prepared.json"  # next to train/ and val/
MOST_NOTE_BYTES = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """How a copy was made. `source` is the fingerprint of the images it was made of.

    Images are made smaller (bicubic) until the short side has `short_side` pixels. Pillow and its
    JPEG library encode them with `quality`, colours at half the resolution (4:2:0). `left_out`
    training images could not be opened.
    """

    source: str
    short_side: int
    quality: int
    pillow: str
    jpeg: str
    left_out: int = 0

    @classmethod
    def here(cls, *, source: str, short_side: int, quality: int) -> Prepared:
        """Return the note of a copy that is made with this machine's libraries."""
        from PIL import features

        turbo = features.check_feature("libjpeg_turbo")
        jpeg = features.version_feature("libjpeg_turbo") if turbo else features.version_codec("jpg")
        return cls(
            source=source,
            short_side=short_side,
            quality=quality,
            pillow=features.version_module("pil") or "",
            jpeg=f"libjpeg-turbo {jpeg}" if turbo else f"libjpeg {jpeg}",
        )

    @classmethod
    def read(cls, content: bytes, where: object) -> Prepared:
        """Read a note; raises Problem that names `where` if it is no such note."""
        types = {field.name: {"str": str, "int": int}[str(field.type)] for field in fields(cls)}
        try:
            values = json.loads(content)
            if {key: type(value) for key, value in values.items()} != types:
                raise ValueError
        except (ValueError, AttributeError, RecursionError):
            shown = escaped(str(where))
            raise Problem(f"{shown} is damaged: it must hold {', '.join(types)}") from None
        return cls(**values)

    def text(self) -> bytes:
        """Return the note as it is written."""
        return (json.dumps(asdict(self), indent=1) + "\n").encode()

    @property
    def identity(self) -> dict[str, str | int]:
        """What tells apart copies of the same images; the libraries that made it do not count."""
        return {"source": self.source, "short_side": self.short_side, "quality": self.quality}
