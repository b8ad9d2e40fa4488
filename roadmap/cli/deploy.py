"""`roadmap predict` and `roadmap export`: what is done with a finished run."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from pathlib import Path

from experiments.data.files import File
from experiments.deploy.formats import FORMATS, check_folder, choose_format
from experiments.request import Request
from roadmap.cli.console import DONE, FAILED, say, show
from roadmap.cli.workspace import Workspace
from roadmap.errors import Problem
from roadmap.spec import Network
from roadmap.text import counted

OF_ONE = (errno.EEXIST, errno.EISDIR)  # something else stands where one drawing is to be written


def export(workspace: Workspace) -> int:
    """Write a finished run for other programs, and print the lines that load it."""
    options = workspace.options
    workspace.check_classifies("`roadmap export`")
    if options.timm and options.format not in (None, "timm"):
        raise Problem(f"--timm and --format {options.format} are two formats; give one")
    format = choose_format("timm" if options.timm else options.format, options.out)
    request = _finished(workspace)
    network = request.spec.network
    if FORMATS[format].in_timm and isinstance(network, Network):
        from roadmap.timm_names import timm_names

        timm_names(network)
    from experiments.deploy.export import export as write

    lines = write(request, options.out, format=format, license=options.license)
    show(options.out)
    show("\n".join(lines))
    return DONE


def predict(workspace: Workspace) -> int:
    """Print what a finished run says of images: classes, objects or the classes of pixels."""
    options = workspace.options
    if options.format not in ("csv", "json"):
        raise Problem(f"unknown format {options.format!r}; valid: csv, json")
    from experiments.deploy.images import find_images

    if options.out is not None:
        if workspace.task == "classification":
            raise Problem("--out is for drawn boxes, masks and label maps; these rows classify")
        check_folder(options.out)
    files = find_images(options.images_to_classify)
    request = _finished(workspace)
    if workspace.task != "classification":
        return _predict_scenes(request, files, options.out, options.format)
    from experiments.deploy.predict import predict as classify
    from experiments.deploy.predict import render

    answer = classify(request, files)
    show(render(answer, options.format))
    for fault in answer.broken:
        say(f"not classified: {fault}")
    return FAILED if answer.broken else DONE


def _predict_scenes(request: Request, files: Sequence[File], out: Path | None, format: str) -> int:
    """Print what is found in each image; with `out` draw it too."""
    from experiments.deploy.finished import open_finished
    from experiments.deploy.found import drawn_paths, render_found, write_drawn
    from experiments.deploy.scenes import predict_scenes

    run, kept, faults = open_finished(request), [], []
    failure: OSError | None = None
    task = run.spec.recipe.task_name
    names = [str(file) for file in files]
    targets = drawn_paths(names, out, task) if out else [None] * len(files)
    for scene, target in zip(predict_scenes(run, files), targets, strict=True):
        if scene.image is None or scene.found is None:
            faults.append(f"left out: {scene.broken}")
            continue
        kept.append((scene.path, scene.found))
        try:
            written = write_drawn(scene.image, scene.found, run.class_names, target)
        except OSError as error:
            if error.errno not in OF_ONE:
                failure = error
                break  # no other image could be drawn; those that were seen are printed
            name = error.filename2 or error.filename
            faults.append(f"not drawn: {scene.path}: {name}: {error.strerror}")
        else:
            for path in written:
                say(f"wrote {path}")
    paths, found = [path for path, _ in kept], [one for _, one in kept]
    show(render_found(paths, found, run.class_names, format, task=task))
    if empty := [path for path, one in kept if task == "detection" and not len(one)]:
        say(f"no object found in {counted(len(empty), 'image')}: {', '.join(empty[:5])}")
    for fault in faults:
        say(fault)
    if failure is not None:
        raise failure
    return FAILED if faults else DONE


def _finished(workspace: Workspace) -> Request:
    """Return the run that is asked for; a Problem if it is not finished. No torch is loaded."""
    options = workspace.options
    request = Request(settings=workspace.settings, row=options.row, seed=options.seed)
    if request.finished() is None:
        hint = f"`roadmap train {options.row}` with the same options trains it"
        raise Problem(f"{request.name} has no finished run in {options.runs}; {hint}")
    return request
