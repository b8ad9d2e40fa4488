"""What a kind of data set must provide. One class per kind; the table is in `sources`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from experiments.data.reading import Reading
from roadmap.errors import Problem, escaped
from roadmap.tasks import Detection, Task, TaskName, name_of

if TYPE_CHECKING:
    from experiments.data.splits import Split

Progress = Callable[[int, int], None]  # done, total


class Source(ABC):
    """A data set that has been found and checked, with no image opened yet.

    `read` is cheap and imports no torch, so that an error in the data is reported at once. `open`
    imports what it needs.
    """

    choice: ClassVar[str]  # what a user can give, for messages
    preparation: ClassVar[str] = "reading the images"  # what `open` does, for progress
    has_select: ClassVar[bool] = False  # whether it has a split for choosing settings
    tasks: ClassVar[tuple[TaskName, ...]] = ("classification",)  # what its labels are for
    name: str

    @classmethod
    @abstractmethod
    def takes(cls, name: str) -> bool:
        """Return whether `--data NAME` means a data set of this kind."""

    @classmethod
    @abstractmethod
    def read(cls, name: str, root: Path | None) -> Source:
        """Find and check the data set; `root` is --data-root. Raises Problem."""

    @classmethod
    def read_as(cls, name: str, root: Path | None, reading: Reading) -> Source:
        """Find and check the data set, with options for folders. Raises Problem if it is none."""
        raise Problem(
            f"{reading.options} is for a folder or a .tar of images; data {escaped(name)} is none"
        )

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """12 hexadecimal digits that identify the images and labels."""

    @property
    @abstractmethod
    def classes(self) -> int:
        """Number of classes; labels are 0 to classes - 1."""

    @property
    def has_masks(self) -> bool:
        """Whether the objects of data for detection have masks, not boxes alone."""
        return "detection" in self.tasks

    def check_task(self, task: Task | None) -> None:
        """Raise Problem, to follow "recipe of row 13", if the labels do not fit the task."""
        name = name_of(task)
        if name not in self.tasks:
            first = self.tasks[0]
            hint = f"leave out --task {name}, or the recipe for it"
            if first != "classification":
                hint = f"use --task {first}, or a recipe for it"
            whose = f"data {self.name!r} is for {' and '.join(self.tasks)}"
            raise Problem(f"is for {name}; {whose}; {hint}")
        if isinstance(task, Detection) and task.has_masks and not self.has_masks:
            raise Problem(
                f"detects masks; the objects of data {self.name!r} have boxes alone; "
                "add --set recipe.task.detection=faster_rcnn"
            )

    def classes_for(self, task: TaskName) -> int:
        """Return the number of classes of a task: in segmentation the background may be one."""
        return self.classes

    def names_for(self, task: TaskName) -> tuple[str, ...]:
        """Return the names of these classes; numbers if they have none."""
        names = getattr(self, "class_names", None)
        return tuple(names) if names else tuple(map(str, range(self.classes)))

    @property
    @abstractmethod
    def images(self) -> int:
        """Number of training images."""

    def check_jpeg(self) -> None:
        """Raise Problem unless the images are JPEG files, which a GPU can decode."""
        raise Problem(f"--decode gpu reads JPEG files; data {self.name} has none")

    @property
    def details(self) -> dict[str, Any]:
        """More facts for the `data` part of a record."""
        return {}

    @abstractmethod
    def open(self, cache: Path | None, progress: Progress) -> dict[str, Split]:
        """Return {"train": …, "val": …} and maybe "select", for choosing settings.

        `cache` is where to keep generated data; if it is None, `cache_folder()`.
        """


class OneSet(Source):
    """A single data set, which its name means."""

    @classmethod
    def takes(cls, name: str) -> bool:
        """Return whether it is the one name of this data set."""
        return name == cls.name
