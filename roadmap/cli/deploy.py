"""`roadmap predict` and `roadmap export`: what is done with a finished run."""

from __future__ import annotations

from experiments.deploy.formats import FORMATS, choose_format
from experiments.request import Request
from roadmap.cli.console import DONE, FAILED, say, show
from roadmap.cli.workspace import Workspace
from roadmap.errors import Problem
from roadmap.spec import Network


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
    """Classify images with a finished run, and print classes and probabilities."""
    options = workspace.options
    if options.format not in ("csv", "json"):
        raise Problem(f"unknown format {options.format!r}; valid: csv, json")
    from experiments.deploy.images import find_images

    files = find_images(options.images_to_classify)
    request = _finished(workspace)
    from experiments.deploy.predict import predict as classify
    from experiments.deploy.predict import render

    answer = classify(request, files)
    show(render(answer, options.format))
    for fault in answer.broken:
        say(f"not classified: {fault}")
    return FAILED if answer.broken else DONE


def _finished(workspace: Workspace) -> Request:
    """Return the run that is asked for; a Problem if it is not finished. No torch is loaded."""
    options = workspace.options
    request = Request(settings=workspace.settings, row=options.row, seed=options.seed)
    if request.finished() is None:
        hint = f"`roadmap train {options.row}` with the same options trains it"
        raise Problem(f"{request.name} has no finished run in {options.runs}; {hint}")
    return request
