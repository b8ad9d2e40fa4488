"""`roadmap prepare-data`: a smaller copy of an image folder that training reads faster."""

from __future__ import annotations

from pathlib import Path

from experiments.data.folder import Folder
from experiments.data.prepare import Preparation
from experiments.data.prepared import Prepared
from experiments.data.scene_folder import SceneFolder
from experiments.data.sources import kind_of
from experiments.host.events import Preparing
from experiments.host.limits import cores
from experiments.host.progress import Display
from roadmap.cli.console import DONE, say, show
from roadmap.cli.workspace import Workspace
from roadmap.errors import Problem, escaped


def prepare_data(workspace: Workspace) -> int:
    """Write the copy, or continue it, and say what it holds."""
    options = workspace.options
    if not Folder.takes(options.data):
        raise Problem(f"data {escaped(options.data)} is no folder and no .tar: nothing to prepare")
    if issubclass(kind_of(options.data), SceneFolder):
        raise Problem(
            f"data {escaped(options.data)} has annotations; prepare-data copies images in class "
            "folders only"
        )
    if options.quality > 100:
        raise Problem(f"--quality {options.quality}: JPEG's is 1 to 100")
    source = Folder.read_as(options.data, None, workspace.reading)
    preparation = Preparation(
        source=source,
        root=Path(options.data),
        out=options.out,
        how=Prepared.here(
            source=source.fingerprint, short_side=options.short_side, quality=options.quality
        ),
        workers=options.workers or cores(),
        skip=options.broken == "skip",
    )
    with Display() as display:

        def report(what: str, done: int, total: int) -> None:
            display(Preparing(run=source.name, what=what, done=done, total=total))

        copy = preparation.run(report, say)
    counts = " and ".join(f"{len(copy.samples[split]):,} {split}" for split in copy.samples)
    assert copy.prepared is not None
    how = f"short side {copy.prepared.short_side}, JPEG quality {copy.prepared.quality}"
    where = escaped(str(options.out))
    show(f"{where}: {counts} images, {how}, fingerprint {copy.fingerprint}, all checked")
    return DONE
