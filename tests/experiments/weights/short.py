"""Short runs that start from weights."""

from experiments.host.machine import Machine
from experiments.job import Job
from experiments.launch.run import train
from steps.roadmaps.load import load_roadmap

ONE = Machine(threads=1, workers=0)
SHORT = {"recipe.epochs": 1, "recipe.batch": 8, "recipe.image_size": 32}


def trained(request, *lines):
    """Train a run; `lines` may be a list that collects its messages."""
    (collected,) = lines or ([],)
    return train(
        Job(request=request, machine=ONE),
        lambda event: collected.append(getattr(event, "text", "")),
    )


def roadmap_row(number):
    return load_roadmap("tiny").with_classes(2)[number].spec
