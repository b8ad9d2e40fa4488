"""One finished run of row 13 and one of row 05, on images made here."""

import pytest

from experiments.host.machine import Machine
from experiments.job import Job
from experiments.launch.run import train
from experiments.request import Request
from experiments.settings import Settings

SHORT = {"recipe.epochs": 1, "recipe.batch": 8, "recipe.image_size": 32}


@pytest.fixture(scope="session")
def finished(images, tmp_path_factory):
    """Return a function from a row to its finished request; a row is trained once."""
    runs, made = tmp_path_factory.mktemp("runs"), {}

    def run(row="13", **overrides):
        key = (row, *overrides.items())
        if key not in made:
            settings = Settings(
                roadmap="tiny", data=str(images), overrides={**SHORT, **overrides}, runs=runs
            )
            request = Request(settings=settings, row=row, seed=0)
            train(Job(request=request, machine=Machine(threads=1, workers=0)))
            made[key] = request
        return made[key]

    return run
