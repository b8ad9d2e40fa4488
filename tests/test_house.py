"""The house keeps its shape: imports point towards `roadmap`, and torch stays in its rooms."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1]
ROOMS = ("roadmap", "steps", "experiments", "analysis")
MAY_IMPORT = {
    "roadmap": {"roadmap"},
    "steps": {"steps", "roadmap"},
    "experiments": {"experiments", "steps", "roadmap"},
    "analysis": {"analysis", "steps", "roadmap"},
}
HEAVY = {"torch", "timm", "torchvision", "torchmetrics", "pytorch_lightning"}


def imports(path: Path) -> set[str]:
    """The modules that a file imports anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module)
    return found


def test_rooms_import_only_what_they_may():
    for room in ROOMS:
        for path in (ROOT / room).rglob("*.py"):
            if path.parent.name == "cli" or path.name == "__main__.py":
                continue
            rooms = {name.split(".")[0] for name in imports(path)} & set(ROOMS)
            assert rooms <= MAY_IMPORT[room], path
            assert not any(name.startswith("roadmap.cli") for name in imports(path)), path


def test_torch_is_only_where_networks_are():
    for room in ("roadmap", "steps", "analysis"):
        heavy = {
            path.name
            for path in (ROOT / room).rglob("*.py")
            if {name.split(".")[0] for name in imports(path)} & HEAVY
        }
        allowed = {"network.py", "layers.py", "timm_weights.py"} if room == "roadmap" else set()
        assert heavy == allowed


def test_one_module_per_step():
    from steps import STEPS

    modules = {path.stem for path in (ROOT / "steps").glob("*.py")}
    assert modules == {*STEPS, "resnet", "__init__", "config", "own"}
    for name in STEPS:
        assert len((ROOT / "steps" / f"{name}.py").read_text().splitlines()) <= 40, name
