"""The project keeps its own rules: size, arrows, weight, packaging."""

from __future__ import annotations

import ast
import importlib
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, Final

import pytest

from tests.support.needs import require_module

ROOT: Final = Path(__file__).parents[2]
PROJECT: Final[dict[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text())
PACKAGES: Final[list[str]] = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
SOURCES: Final = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for folder in [*PACKAGES, "tests", "benchmarks"]
    for path in sorted((ROOT / folder).rglob("*.py"))
}
OURS: Final = {name: text for name, text in SOURCES.items() if name.partition("/")[0] in PACKAGES}
#: What no process pays for before it needs it.
HEAVY: Final = ("tensorflow", "torch", "onnxruntime", "opensearchpy", "fastapi", "celery", "pyarrow", "tokenizers")
#: Modules that run code which stands in the data they read.
UNSAFE: Final = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def body_lines(function: Function) -> int:
    """Lines of a function without its signature and its docstring."""
    first, *rest = function.body
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        first = rest[0] if rest else function.body[0]
    return (function.end_lineno or 0) - first.lineno + 1


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": os.environ.get("HOME", "/")},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_no_file_is_too_long_to_hold_in_the_head() -> None:
    assert {name: text.count("\n") for name, text in SOURCES.items() if text.count("\n") >= 400} == {}


def test_no_function_is_too_long_to_hold_in_the_head() -> None:
    functions = [
        (f"{name}:{node.lineno} {node.name}", body_lines(node))
        for name, text in SOURCES.items()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, Function)
    ]
    assert {where: lines for where, lines in functions if lines > 40} == {}


def test_no_package_is_a_folder_around_one_file() -> None:
    folders = {Path(name).parent for name in OURS}
    for folder in sorted(folders):
        modules = [name for name in OURS if Path(name).parent == folder and Path(name).name != "__init__.py"]
        inner = [other for other in folders if other.parent == folder]
        assert len(modules) + len(inner) > 1, folder


def test_every_package_says_what_it_is_for_in_one_line() -> None:
    for name, text in SOURCES.items():
        if name.endswith("/__init__.py"):
            docstring = ast.get_docstring(ast.parse(text)) or ""
            assert docstring.count("\n") == 0, name
            assert docstring or name.startswith(("tests/", "benchmarks/")), name


def test_imports_point_one_way() -> None:
    require_module("importlinter", "dev")
    done = run(str(Path(sys.executable).parent / "lint-imports"), "--no-cache")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("package", ["sidetower.cli", *PACKAGES])
def test_importing_a_package_loads_nothing_heavy(package: str) -> None:
    program = f"import sys, {package}\nprint([name for name in {HEAVY!r} if name in sys.modules])"
    done = run(sys.executable, "-c", program)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_nothing_is_pickled() -> None:
    for name, text in SOURCES.items():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Import):
                imported = {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported = {(node.module or "").partition(".")[0]}
            elif isinstance(node, ast.keyword) and node.arg == "allow_pickle":
                assert isinstance(node.value, ast.Constant), f"{name}:{node.value.lineno}"
                assert node.value.value is False, f"{name}:{node.value.lineno}"
                continue
            else:
                continue
            assert not imported & UNSAFE, f"{name}:{node.lineno}"


def test_the_image_holds_every_package() -> None:
    copied = re.findall(r"^COPY (\w+) (\w+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert copied == [(package, package) for package in sorted(PACKAGES)]
    assert PROJECT["tool"]["hatch"]["build"]["targets"]["sdist"]["include"][: len(PACKAGES)] == [
        f"/{package}" for package in PACKAGES
    ]


def test_compose_opens_ports_on_loopback_only() -> None:
    require_module("yaml", "serve")
    compose = importlib.import_module("yaml").safe_load((ROOT / "compose.yaml").read_text())
    assert set(compose["services"]) == {"opensearch", "redis", "rerank-service", "workers"}
    ports = [port for service in compose["services"].values() for port in service.get("ports", [])]
    assert ports
    assert [port for port in ports if not str(port).startswith("127.0.0.1:")] == []


def test_compose_passes_only_variables_that_are_read() -> None:
    from sidetower.config import ENVIRONMENT

    passed = set(re.findall(r"\bSIDETOWER_[A-Z_]+", (ROOT / "compose.yaml").read_text()))
    assert passed <= set(ENVIRONMENT)


def test_every_direct_dependency_is_pinned() -> None:
    pinned = re.findall(r"^([A-Za-z0-9._-]+)==", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    project = PROJECT["project"]
    wanted = [*project["dependencies"], *(one for extra in project["optional-dependencies"].values() for one in extra)]
    names = {re.split(r"[<>=!~\[; ]", one)[0] for one in wanted}
    assert {name for name in names if plain(name) not in {plain(one) for one in pinned}} == set()


def plain(name: str) -> str:
    """The name of a distribution as indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def test_the_changelog_speaks_of_this_version() -> None:
    headings = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[:1] == [PROJECT["project"]["version"]]
