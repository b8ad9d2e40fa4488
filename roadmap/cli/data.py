"""`roadmap check-data`: images before training."""

from __future__ import annotations

from experiments.data.faults import Faults
from experiments.data.folder import Folder
from experiments.data.scene_folder import SceneFolder
from experiments.data.source import Source
from experiments.data.sources import check_names, kind_of, read_source
from roadmap.cli.console import DONE, FAILED, show
from roadmap.cli.workspace import Workspace
from roadmap.errors import LONGEST, shortened, visible
from roadmap.text import counted


def check_data(workspace: Workspace) -> int:
    """Open every image of a data set; name what is broken, left out, doubled, and what to do."""
    options = workspace.options
    kind = kind_of(options.data)
    source: Source
    if issubclass(kind, SceneFolder) and not workspace.reading.options:
        source, annotations = kind.look(options.data)
        if annotations.texts:
            return _show_all(annotations)
        check_names(source)
    else:
        source = read_source(options.data, options.data_root, workspace.reading)
    from experiments.data.advice import advice, findings
    from experiments.data.pixels import pixel_references
    from experiments.data.scene_survey import SceneCounts
    from experiments.data.splits import open_data
    from experiments.data.survey import survey
    from experiments.host.events import Preparing
    from experiments.host.progress import Display

    with Display() as display:

        def progress(done: int, total: int) -> None:
            what = f"trying {total:,} images"
            display(Preparing(run=source.name, what=what, done=done, total=total))

        data = open_data(source, progress=progress)
        scenes = None if "classification" in source.tasks else SceneCounts.of(data)
        found = survey(data, progress, None if scenes is None else scenes.note)
    faults = found.faults
    for fault in faults:
        _show_line(fault)
    sizes = f"{len(data.train):,} training and {counted(len(data.val), 'validation image')}"
    answer = f"{len(faults):,} cannot be opened" if faults else "all can be opened"
    show(f"{sizes} of {counted(source.classes, 'class')}: {answer}")
    if not faults and scenes is None:
        share = pixel_references(data)
        show(
            f"chance {100 / source.classes:.1f} %, nearest training image by pixels "
            f"{share['nearest_neighbour']:.1f} %, nearest class mean {share['nearest_mean']:.1f} %"
        )
    names = getattr(source, "class_names", ())
    left_out = getattr(source, "left_out", {})
    if why := getattr(source, "no_label_maps", ""):
        _show_line(f"not for segmentation: {why}")
    exif = options.exif if isinstance(source, Folder) else None
    for line in findings(found, names, left_out, exif=exif):
        _show_line(line)
    if (held := source.details.get("held_out")) is not None:
        show(f"held out for validation: {held['fraction']:g} of each class, seed {held['seed']}")
    if (folder := source.details.get("val_folder")) is not None:
        show(f"validation images: those in {folder}/")
    if scenes is not None:
        for line in scenes.findings():
            _show_line(line)
        return FAILED if faults else DONE
    for sentence in advice(found):
        show(f"→ {sentence}")
    return FAILED if faults else DONE


def _show_line(text: str) -> None:
    """Print one line, whatever names are in it."""
    show(shortened(visible(text), LONGEST))


def _show_all(faults: Faults) -> int:
    """Show the faults of annotations that were found before any image was opened."""
    for text in faults.texts:
        show(text)
    total = faults.kinds.total()
    listed = f", of which {len(faults.texts):,} are listed" if total > len(faults.texts) else ""
    show(f"{counted(total, 'fault')} of annotations{listed}: {faults.counts}")
    return FAILED
