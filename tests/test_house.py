"""The rules of the layout, read from the source: who imports whom, and who reads which files."""

import ast
import sys
from collections.abc import Iterable, Iterator, Set
from functools import cache
from graphlib import TopologicalSorter
from itertools import chain
from pathlib import Path

ROOT = Path(__file__).parents[1]
ROOMS = ("roadmap", "steps", "experiments", "analysis")
MAY_IMPORT = {
    "roadmap": {"roadmap"},
    "steps": {"steps", "roadmap"},
    "experiments": {"experiments", "steps", "roadmap"},
    "analysis": {"analysis", "steps", "roadmap"},
    "roadmap.cli": set(ROOMS),
}
ASSEMBLING = {"roadmap.__main__", "roadmap.timm_models"}  # they put rooms together
HEAVY = {
    "torch", "timm", "torchvision", "torchmetrics", "pytorch_lightning", "triton",
    "segmentation_models_pytorch",
}  # fmt: skip
# What is imported for every command, even for --help.
EAGER = {"__init__", "__main__", "main", "options", "arguments", "console", "workspace"}
# The package that reads each kind of file; `resources.files` may name no other package.
YAML = {"steps.recipes", "steps.roadmaps", "steps.studies"}


def module_of(path: Path) -> str:
    """The dotted name of a file; a package's is that of its folder."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for room in ROOMS for path in (ROOT / room).rglob("*.py")}


def room_of(module: str) -> str:
    """The room of a module; the command line is one of its own, and so are rows as timm models."""
    if module in ASSEMBLING or f"{module}.".startswith("roadmap.cli."):
        return "roadmap.cli"
    return module.partition(".")[0]


def top_level(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements that run when a module is imported."""
    for node in body:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        yield node
        for name in ("body", "orelse", "finalbody"):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield from top_level(getattr(node, name, ()))


@cache
def parsed(module: str) -> ast.Module:
    """The syntax tree of a module."""
    return ast.parse(MODULES[module].read_text(encoding="utf-8"))


@cache
def imports(module: str, *, at_import: bool = False) -> Set[str]:
    """The modules that a module imports, anywhere or when it is itself imported."""
    tree = parsed(module)
    names = set()
    for node in top_level(tree.body) if at_import else ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module is not None, f"{module}: relative import"
            full = {f"{node.module}.{alias.name}" for alias in node.names}
            names |= {name for name in full if name in MODULES}
            names |= {node.module} if full - MODULES.keys() else set()
    return names


def test_a_room_imports_only_what_it_may():
    for module in MODULES:
        ours = {name for name in imports(module) if name.partition(".")[0] in ROOMS}
        assert {name.partition(".")[0] for name in ours} <= MAY_IMPORT[room_of(module)], module
        if room_of(module) != "roadmap.cli":
            assert not {name for name in ours if room_of(name) == "roadmap.cli"}, module


def test_no_module_imports_itself_by_way_of_others():
    graph = {module: imports(module, at_import=True) & MODULES.keys() for module in MODULES}
    assert all(graph[f"steps.{name}.load"] for name in ("recipes", "roadmaps", "studies"))
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle


def test_commands_are_imported_when_they_run():
    cli = [module for module in MODULES if room_of(module) == "roadmap.cli"]
    eager = {m for m in cli if m == "roadmap.cli" or m.rpartition(".")[2] in EAGER}
    assert len(cli) - len(eager) >= 7
    for module in eager:
        for name in imports(module, at_import=True) - {"roadmap", "roadmap.errors"}:
            assert name in eager or name.partition(".")[0] in sys.stdlib_module_names, module


def test_torch_is_only_where_networks_are():
    heavy = {module for module in MODULES if {n.partition(".")[0] for n in imports(module)} & HEAVY}
    names = ("layers", "network", "timm_models", "timm_weights", "weight_files")
    allowed = {f"roadmap.{name}" for name in names}
    assert allowed <= heavy
    for module in heavy - allowed:
        assert module.startswith(("experiments.", "roadmap.kernels.")), module


def test_yaml_is_read_only_by_the_folder_it_lies_in():
    folders = {module_of(path / "__init__.py") for path in yaml_folders()}
    assert folders == YAML
    readers = {module for module in MODULES if "roadmap.strict_yaml" in imports(module)}
    assert {module.rpartition(".")[0] for module in readers - {"roadmap.cli.workspace"}} == YAML


def yaml_folders() -> set[Path]:
    """The folders of the rooms that hold YAML."""
    return {path.parent for room in ROOMS for path in (ROOT / room).rglob("*.yaml")}


def test_a_module_opens_only_files_of_its_own_package():
    for module in MODULES:
        for call in ast.walk(parsed(module)):
            if not isinstance(call, ast.Call):
                continue
            name = getattr(call.func, "attr", getattr(call.func, "id", ""))
            if name == "files" and call.args and isinstance(call.args[0], ast.Constant):
                assert call.args[0].value == module.rpartition(".")[0], module


def test_one_module_per_step():
    from steps import STEPS

    modules = {path.stem for path in (ROOT / "steps").glob("*.py")}
    assert modules == {*STEPS, "resnet", "__init__", "config", "own"}
    for name in STEPS:
        assert len((ROOT / "steps" / f"{name}.py").read_text().splitlines()) <= 40, name


def test_tests_mirror_the_rooms():
    tested = {
        path.relative_to(ROOT / "tests").parts for path in (ROOT / "tests").rglob("test_*.py")
    }
    for folder in {parts[:-1] for parts in tested} - {(), ("golden",)}:
        assert (ROOT / Path(*folder)).is_dir(), Path(*folder)
    assert set(ROOMS) <= set(chain.from_iterable(tested))
