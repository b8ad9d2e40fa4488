"""The formats of `roadmap export`, and which one a file's name asks for. No torch here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from experiments.host.imports import missing_packages
from roadmap.errors import Problem, escaped, unknown
from roadmap.files import is_special


@dataclass(frozen=True, kw_only=True)
class Format:
    """A format: endings that its files may have ("" is none); packages that it needs."""

    endings: tuple[str, ...]
    needs: tuple[str, ...] = ()
    in_timm: bool = False  # only for networks that timm has too


# The first of those that take an ending is the one that the ending alone means.
FORMATS: dict[str, Format] = {
    "safetensors": Format(endings=(".safetensors", "")),
    "timm": Format(endings=(".safetensors", ""), in_timm=True),
    "onnx": Format(endings=(".onnx",), needs=("onnx", "onnxscript", "onnxruntime")),
    "torchscript": Format(endings=(".pt", ".ts")),
    "hub": Format(endings=("",), in_timm=True),
}
REFUSED = (".pth", ".bin", ".ckpt", ".pkl", ".tflite", ".mlmodel")  # not what this writes
EXTRA = "pip install 'modernization-roadmap[onnx]'"


def choose_format(name: str | None, out: Path) -> str:
    """Return the format that is asked for by name, or else by the ending of `out`.

    Raises Problem if the two disagree, if no format has the ending, or if packages are missing.
    """
    if name is not None and name not in FORMATS:
        raise unknown("format", name, FORMATS)
    ending = out.suffix.lower()
    takes = {key: ending in each.endings for key, each in FORMATS.items()}
    if name is None:
        if ending in REFUSED:
            raise Problem(f"--out {escaped(str(out))}: no format has this ending; {_endings()}")
        name = next((key for key, taken in takes.items() if taken), "safetensors")
    elif not takes[name] and (any(takes.values()) or ending in REFUSED) and name != "hub":
        raise Problem(f"--out {escaped(str(out))} is no name for format {name}; {_endings()}")
    if out.is_dir() and name != "hub":
        raise Problem(
            f"--out {escaped(str(out))} is a folder; give a file, as in weights.safetensors"
        )
    if is_special(out):
        raise Problem(f"--out {escaped(str(out))} is a device or a named pipe; give a file")
    if name == "hub" and out.is_file():
        raise Problem(f"--out {escaped(str(out))} is a file; format hub writes a folder")
    if missing := missing_packages(FORMATS[name].needs):
        raise Problem(f"format {name} needs {', '.join(missing)}: {EXTRA}")
    return name


def _endings() -> str:
    named = ", ".join(f"{key} ({each.endings[0] or 'a folder'})" for key, each in FORMATS.items())
    return f"valid: {named}"


def check_folder(folder: Path) -> None:
    """Raise Problem if drawn images cannot be written into `folder`, which need not exist."""
    if folder.exists() and not folder.is_dir():
        raise Problem(f"--out {escaped(str(folder))} is a file; give a folder for the drawn images")
