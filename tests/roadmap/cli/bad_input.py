"""Broken configurations, command lines and data folders, by hand and by a generator.

Run as a program, in an empty folder: tries them all in this process, where torch must never be
loaded, and prints what was wrong with the answers as JSON.
"""

import contextlib
import io
import json
import random
import sys
from dataclasses import fields
from pathlib import Path

import yaml

RECIPE = {
    "epochs": 3, "image_size": 32, "batch": 8, "optimizer": "adamw", "learning_rate": 0.001,
    "base_batch": 8, "weight_decay": 0.05, "schedule": "cosine", "interpolation": "bicubic",
}  # fmt: skip
ROADMAP = {
    "title": "mine",
    "base": {"depths": [1, 1, 1, 1], "width": 8},
    "recipe": "mine.yaml",
    "data": "fractals",
    "classes": 20,
    "rows": [{"stage_ratio": {"depths": [1, 1, 3, 1]}}, {"patchify_stem": None}],
}
WRONG = ("many", -1, [1, 2, 3], {"a": 1}, True, "", 1e400, "1 e-3")
MARKS = "{}[]:,\t&*!|>%@`\"'#-\x07é0"
TEXTS = (
    "", "[]", "null", "a", "\x00", "a: [", "a: *b", "? [1]: 2", "---\n---\n",
    "!!python/object/apply:os.system ['touch owned']", "!!python/name:os.system",
)  # fmt: skip
COMMANDS = (
    "cost",
    "show",
    "train",
    "run",
    "table",
    "plot",
    "export",
    "predict",
    "collect",
    "check-data",
    "prepare-data",
    "plan",
    "verdicts",
    "evaluate",
    "speed",
)


def cases():
    """(name, what the answer must name, files to write, command line)."""
    yield from recipes()
    yield from roadmaps()
    yield from texts()
    yield from command_lines()
    yield from folders()


def recipes():
    from roadmap.spec import Recipe

    for field in fields(Recipe):
        for wrong in WRONG:
            if field.name == "decay_norms_and_biases" and wrong is True:
                continue
            yield recipe(f"{field.name}={wrong!r}", {field.name: wrong}, field.name)
        yield recipe(f"{field.name} misspelt", {field.name + "s": 1}, field.name + "s")
    for key in RECIPE:
        rest = {name: value for name, value in RECIPE.items() if name != key}
        yield f"recipe without {key}", key, {"mine.yaml": yaml.safe_dump(rest)}, cost()
        twice = yaml.safe_dump(RECIPE) + f"{key}: {json.dumps(RECIPE[key])}\n"
        yield f"{key} twice", "given twice", {"mine.yaml": twice}, cost()


def recipe(name, changes, named):
    text = yaml.safe_dump({**RECIPE, **changes})
    return f"recipe {name}", named, {"mine.yaml": text}, cost()


def cost():
    return ["cost", "--roadmap", "path.yaml"]


def roadmaps():
    for key in ROADMAP:
        for wrong in (7, "nothing", [1], {"a": 1}, True):
            if (key, wrong) in (("classes", 7), ("title", "nothing"), ("data", "nothing")):
                continue
            yield changed(f"{key}={wrong!r}", {key: wrong}, "")
        yield changed(f"{key} misspelt", {key + "x": 1}, key + "x")
    for step in ("stage_ratios", "gelus", "norms", "", "08", "width "):
        yield changed(f"step {step!r}", {"rows": [{step: None}]}, "step")
    for step, parameters in {
        "kernel_size": ({"kernel": 4}, {"kernel": -7}, {"kernel": "7"}, {"kernels": 7}, [7]),
        "width": ({"width": 0}, {"width": 1.5}, {}, {"width": 16, "depth": 2}, "wide"),
        "stage_ratio": ({"depths": []}, {"depths": [1]}, {"depths": [0, 1, 1, 1]}, {"depths": 3}),
        "layer_scale": ({"initial": -1}, {"initial": "small"}, {"gamma": 1}),
        "training_recipe": ({}, {"recipe": "none"}, {"recipe": "mine.yaml", "drop_path": 2}),
        "gelu": ({"approximate": True}, 3),
        "inverted_bottleneck": ({"ratio": 4},),
    }.items():
        for given in parameters:
            yield changed(f"{step} {given!r}", {"rows": [{step: given}]}, step)
    yield changed("move up first", {"rows": [{"move_up_depthwise": None}]}, "depthwise")
    for branches in ([], {"K5": {"gelu": None}}, {"5": {"gelu": None}}, "k5"):
        if branches != []:
            rows = [{"gelu": None, "branches": branches}]
            yield changed(f"branches {branches!r}", {"rows": rows}, "branch")


def changed(name, changes, named):
    return f"roadmap {name}", named, {"path.yaml": yaml.safe_dump({**ROADMAP, **changes})}, cost()


def texts():
    """Bytes put into files that were whole: those that still mean something may pass."""
    draws = random.Random(0)
    whole = {"mine.yaml": yaml.safe_dump(RECIPE), "path.yaml": yaml.safe_dump(ROADMAP)}
    for number in range(80):
        name = draws.choice(sorted(whole))
        text = list(whole[name])
        for _ in range(draws.randint(1, 4)):
            place = draws.randrange(len(text))
            text[place : place + draws.choice((0, 1, 5))] = draws.choice(
                "{}[]:,\t&*!|>%@`\"'#-\x07é0"
            )
        yield f"text {number}", None, {name: "".join(text)}, cost()
    for text in TEXTS:
        for name in ("mine.yaml", "path.yaml"):
            yield f"{name} is {text!r}", name, {name: text}, cost()


def command_lines():
    for command in COMMANDS:
        given = ["05", *["image.png"] * (command == "predict")]
        yield f"{command} --no-such", "no-such", {}, [command, *given, "--no-such", "--out", "x"]
    for option, wrong in {
        "--seed": ("-1", "x", "1.5", ""), "--threads": ("0", "-2", "two"), "--workers": ("-1", "x"),
        "--devices": ("0", "x"), "--nodes": ("0",), "--accumulate": ("0", "1.5"),
        "--precision": ("16", "fp8"), "--images": ("disk",), "--decode": ("tpu",),
        "--broken": ("ignore",),
        "--save-every": ("-1", "nan", "inf", "x"), "--data": ("nowhere", "wds", "x/y"),
        "--weights": ("nowhere.pth", "", "0123456789ab"), "--recipe": ("none", "x.yaml", ""),
        "--if-nothing-fits": ("maybe", "scratch"),
        "--roadmap": ("tinny", "x.yaml"), "--steps": ("none.py",),
        "--set": ("recipe", "recipe.epochs=x", "=3", "recipe.x=1", "a.b.c=1"),
    }.items():  # fmt: skip
        for each in wrong:
            yield f"train {option} {each!r}", "", {}, ["train", "05", option, each]
    for arguments in (
        ["x"], ["train"], ["train", "05", "06"], ["show"], ["show", "k9"],
        ["run", "--rows", "x"], ["run", "--seeds", "x"], ["run", "--jobs", "0"],
        ["cost", "--image-size", "0"],
        ["cost", "--image-size", "3"], ["cost", "--classes", "x"], ["table", "--format", "pdf"],
        ["train", "05", "--use-ema"], ["train", "timm:convnext_atto.d2_in1k"],
        ["predict", "05"], ["predict", "05", "nowhere.png"], ["export", "05", "--out", "a.pth"],
        ["export", "05", "--out", "a.onnx", "--format", "hub", "--timm"],
        ["export", "05"], ["export", "05", "--out", "a.safetensors"], ["collect"],
        ["collect", "--out", "x"], ["table", "--runs", "nowhere"], ["check-data", "nowhere"],
        ["plan", "x"], ["verdicts", "x"], ["verdicts", "--format", "pdf"], ["run", "x"],
        ["plan", "path", "--seeds", "0"], ["verdicts", "--runs", "nowhere"],
        ["prepare-data", "nowhere", "--out", "x"], ["prepare-data", "fractals", "--out", "x"],
        ["prepare-data"], ["prepare-data", "x"],
        ["check-data"], ["train", "05", "--sync-batchnorm"], ["train", "05", "--accumulate", "7"],
        ["train", "05", "--devices", "64"], ["train", "08-k6"], ["train", "-1"],
    ):  # fmt: skip
        yield f"roadmap {' '.join(arguments)}", "", {}, arguments


def folders():
    image = ("train/a/1.png", "train/b/1.png", "val/a/1.png", "val/b/1.png")
    for number, (files, named) in enumerate(
        (
            (("train/a/1.png",), "val"),
            (("val/a/1.png",), "train"),
            (("a/1.png", "b/1.png"), "train"),
            (("train/a/1.png", "val/a/1.png"), "two class"),
            ((*image, "train/c/1.png"), "c"),
            ((*image, "val/d/1.png"), "d"),
            ((*image[:3], "val/b/1.txt"), "no images"),
            (("train", "val"), "train"),
            (("train/1.png", "val/1.png"), "two class"),
        )
    ):
        content = {f"data/{each}": "x" for each in files}
        for command in (["train", "05"], ["run"], ["check-data"]):
            more = ["data"] if command[0] == "check-data" else ["--data", "data"]
            yield f"folder {number} {command[0]}", named, content, [*command, *more]
    for content in ("", "no tar"):
        yield f"tar {content!r}", "tar", {"x.tar": content}, ["train", "05", "--data", "x.tar"]


def attempt(name, named, files, arguments):
    """What is wrong with the answer to one case; None if nothing is."""
    from roadmap.cli.main import main

    here = Path(f"case{len(list(Path().iterdir()))}").resolve()
    whole = {"mine.yaml": yaml.safe_dump(RECIPE), "path.yaml": yaml.safe_dump(ROADMAP)}
    for path, text in {**whole, **files}.items():
        (here / path).parent.mkdir(parents=True, exist_ok=True)
        (here / path).write_text(text)
    before = sorted((path, path.is_file() and path.read_bytes()) for path in here.rglob("*"))
    out, errors = io.StringIO(), io.StringIO()
    with (
        contextlib.chdir(here),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(errors),
    ):
        try:
            code = main(arguments)
        except SystemExit as end:
            code = end.code
        except BaseException as error:
            return f"{name}: {type(error).__name__}: {error}"
    after = sorted((path, path.is_file() and path.read_bytes()) for path in here.rglob("*"))
    said = errors.getvalue()
    lines = [line for line in said.splitlines() if not line.startswith(("usage", " "))]
    if named is None and code == 0:
        return None  # the text still means something
    faults = [
        code != 2 and f"exit code {code}",
        len(lines) != 1 and f"{len(lines)} lines",
        bool(out.getvalue()) and "output",
        before != after and "files were written",
        "Traceback" in said and "a traceback",
        bool(named) and named not in said and f"does not name {named!r}",
        "torch" in sys.modules and "torch was loaded",
    ]
    found = [fault for fault in faults if fault]
    return f"{name}: {', '.join(found)}: {said or out.getvalue()[:100]}" if found else None


if __name__ == "__main__":
    tried = list(cases())
    wrong = [fault for fault in (attempt(*case) for case in tried) if fault]
    print(json.dumps({"tried": len(tried), "wrong": wrong}, indent=1))
