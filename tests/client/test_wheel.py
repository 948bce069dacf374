"""The client's own distribution: one import name, typed, small, and nothing of the service's."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import tomllib
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

from tests.support.needs import require_module

ROOT = Path(__file__).parents[2]
CLIENT = ROOT / "client"
SOURCES = {path.name: path.read_text(encoding="utf-8") for path in sorted((CLIENT / "sidetower_client").glob("*.py"))}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel as a release would hold it, built without a network."""
    require_module("hatchling", "dev")
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=CLIENT,
        check=True,
        capture_output=True,
        timeout=120,
    )
    [built] = folder.glob("*.whl")
    assert built.name.endswith("-py3-none-any.whl")
    return zipfile.ZipFile(built)


def test_the_wheel_installs_one_name(wheel: zipfile.ZipFile) -> None:
    names = wheel.namelist()
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"sidetower_client"}
    inside = {name for name in names if name.startswith("sidetower_client/")}
    assert inside == {f"sidetower_client/{name}" for name in [*SOURCES, "py.typed"]}


def test_the_wheel_needs_what_the_host_has(wheel: zipfile.ZipFile) -> None:
    [metadata] = [name for name in wheel.namelist() if name.endswith("/METADATA")]
    told = Parser().parsestr(wheel.read(metadata).decode())
    needed = {one.partition(">")[0] for one in told.get_all("Requires-Dist", [])}
    assert needed == {"opensearch-py", "urllib3"}
    main = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert (told["Name"], told["Version"]) == ("sidetower-client", main["version"])
    assert any(name.endswith("/licenses/LICENSE") for name in wheel.namelist())
    assert (CLIENT / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()


def test_the_wheel_works_without_anything_else_of_ours(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    wheel.extractall(tmp_path)
    program = (
        "import sys, sidetower_client\n"
        "from opensearchpy import OpenSearch\n"
        "client = OpenSearch(['http://127.0.0.1:9'])\n"
        "made = sidetower_client.wrap(client, url='http://127.0.0.1:8', tenant='t', kind='k')\n"
        "print(sidetower_client.__file__, type(made).__name__, [name for name in sys.modules if name in"
        " ('domain', 'plugin', 'recommender', 'rerank_service', 'sidetower', 'numpy', 'httpx', 'pydantic')])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.split(maxsplit=2) == [f"{tmp_path}/sidetower_client/__init__.py", "RerankingOpenSearch", "[]\n"]


def test_the_client_imports_the_standard_library_and_what_opensearch_py_brings() -> None:
    found: dict[str, set[str]] = {}
    for name, text in SOURCES.items():
        for node in ast.walk(ast.parse(text)):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            modules += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for module in modules:
                found.setdefault(module.partition(".")[0], set()).add(name)
    foreign = set(found) - set(sys.stdlib_module_names) - {"sidetower_client"}
    assert foreign == {"aiohttp", "opensearchpy", "urllib3"}
    # Only whoever has an asynchronous client needs it.
    assert found["aiohttp"] == {"asynchronous.py"}


def test_the_client_keeps_the_sizes_of_the_house() -> None:
    for name, text in SOURCES.items():
        assert text.count("\n") < 400, name
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert (node.end_lineno or 0) - node.body[0].lineno < 40, f"{name}: {node.name}"
