"""`roadmap check-data` and `roadmap export`: images before training, weights after it."""

from __future__ import annotations

from experiments.data.sources import read_source
from experiments.request import Request
from roadmap.cli.console import DONE, FAILED, show
from roadmap.cli.workspace import Workspace
from roadmap.errors import Problem
from roadmap.spec import Network
from roadmap.text import counted


def check_data(workspace: Workspace) -> int:
    """Open every image of a data set and name those that cannot be opened."""
    source = read_source(workspace.options.data, workspace.options.data_root)
    from experiments.data.check import broken_images
    from experiments.data.pixels import pixel_references
    from experiments.data.splits import open_data
    from experiments.host.events import Preparing
    from experiments.host.progress import Display

    with Display() as display:

        def progress(done: int, total: int) -> None:
            what = f"trying {total:,} images"
            display(Preparing(run=source.name, what=what, done=done, total=total))

        data = open_data(source, progress=progress)
        faults = list(broken_images(data, progress))
    for fault in faults:
        show(fault)
    sizes = f"{len(data.train):,} training and {counted(len(data.val), 'validation image')}"
    answer = f"{len(faults):,} cannot be opened" if faults else "all can be opened"
    show(f"{sizes} of {counted(source.classes, 'class')}: {answer}")
    if not faults:
        share = pixel_references(data)
        show(
            f"chance {100 / source.classes:.1f} %, nearest training image by pixels "
            f"{share['nearest_neighbour']:.1f} %, nearest class mean {share['nearest_mean']:.1f} %"
        )
    return FAILED if faults else DONE


def export(workspace: Workspace) -> int:
    """Write the weights of a finished run to a file."""
    options = workspace.options
    if options.out.is_dir():
        raise Problem(f"--out {options.out} is a folder; give a file, as in weights.safetensors")
    request = Request(settings=workspace.settings, row=options.row, seed=options.seed)
    if request.finished() is None:  # before torch is loaded
        hint = f"`roadmap train {options.row}` with the same options trains it"
        raise Problem(f"{request.name} has no finished run in {options.runs}; {hint}")
    network = request.spec.network
    if options.timm and isinstance(network, Network):
        from roadmap.timm_names import timm_names

        timm_names(network)
    from experiments.training.export import export as write_weights

    write_weights(request, options.out, timm_names=options.timm)
    show(options.out)
    return DONE
