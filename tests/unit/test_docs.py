"""The documentation is complete and true: what the code offers stands in it, and what it names exists."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import typer

from domain.catalogue import FilterType
from domain.errors import SidetowerError
from sidetower.cli import app
from sidetower.config import ENVIRONMENT, problems
from tests.support.needs import require_module

ROOT: Final = Path(__file__).parents[2]
DOCS: Final = ROOT / "docs"
REFERENCE: Final = DOCS / "reference"
PAGES: Final = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in sorted([*DOCS.rglob("*.md"), ROOT / "README.md", ROOT / "CHANGELOG.md"])
}
COMMANDS: Final[dict[str, Any]] = dict(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
VARIABLES: Final = {"SIDETOWER_CONFIG", *ENVIRONMENT}

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def section(page: str, title: str) -> str:
    """What stands under a heading, up to the next one of the same rank."""
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", PAGES[page], re.MULTILINE | re.DOTALL)
    assert found, f"{page} has no section {title!r}"
    return found[1]


def rows(text: str) -> dict[str, list[str]]:
    """The rows of the tables in a text, by what their first cell names in backticks."""
    cells = [re.split(r"(?<!\\)\|", line.strip("| ")) for line in text.splitlines() if line.startswith("| `")]
    return {row[0].strip().partition("`")[2].partition("`")[0]: [cell.strip() for cell in row] for row in cells}


def every_error() -> Iterator[type[SidetowerError]]:
    left = [SidetowerError]
    while left:
        yield (kind := left.pop())
        left += kind.__subclasses__()


def anchors(page: str) -> set[str]:
    """The anchors that GitHub gives to the headings of a page."""
    prose = _BLOCK.sub("", PAGES[page])
    headings = [re.sub(r"[`*]|\]\([^)]*\)|\[", "", one) for one in re.findall(r"^#+ (.+)$", prose, re.MULTILINE)]
    return {re.sub(r"[^\w\- ]", "", one.strip().lower()).replace(" ", "-") for one in headings}


def invocations() -> Iterator[tuple[str, list[str]]]:
    """Every `sidetower` command line in a code block, with its page."""
    for page, text in PAGES.items():
        for _, block in _BLOCK.findall(text):
            for line in block.splitlines():
                words = line.strip().removeprefix("$ ")
                if re.match(r"sidetower [a-z]", words):
                    yield page, shlex.split(words, comments=True)[1:]


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_and_option_is_documented(name: str) -> None:
    text = section("docs/reference/commands.md", f"sidetower {name}")
    table = {word for cells in rows(text).values() for word in re.findall(r"`([^`\s]+)`", cells[0])}
    parameters = COMMANDS[name].params
    named = {
        word
        for one in parameters
        for word in (one.opts if one.param_type_name == "option" else [str(one.name).upper()])
    }
    assert table == named
    assert f"](#sidetower-{name})" in PAGES["docs/reference/commands.md"]
    assert "```console\n$ sidetower " + name in text, "an example"


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_the_defaults_of_options_are_documented(name: str) -> None:
    table = rows(section("docs/reference/commands.md", f"sidetower {name}"))
    for one in COMMANDS[name].params:
        if one.param_type_name == "option" and one.default not in (None, "", False, ()):
            assert str(one.default) == table[one.opts[0]][1].strip("`"), one.opts[0]


def test_every_command_line_in_the_documentation_can_be_typed() -> None:
    for page, words in invocations():
        command = COMMANDS.get(words[0])
        assert command is not None, f"{page}: sidetower {words[0]}"
        known = {option for one in command.params for option in one.opts} | {"--help"}
        for word in words[1:]:
            assert not re.match(r"--?[a-z]", word) or word in known, f"{page}: sidetower {shlex.join(words)}"


def test_every_configuration_key_is_documented(tmp_path: Path) -> None:
    file = tmp_path / "sidetower.toml"
    tables = ("engine", "queue", "kinds.listing", "gateway", "gateway.indexes.cars")
    file.write_text("".join(f"[{table}]\nx = 1\n" for table in tables))
    known = {
        one.place.rpartition(", ")[2]: one.expected.removeprefix("one of ").split(", ")
        for one in problems(file, {})
        if "'x'" in one.got
    }
    assert list(known) == [f"[{table}]" for table in tables]
    for table, keys in known.items():
        text = section("docs/reference/configuration.md", re.sub("listing|cars", "NAME", table))
        assert sorted(rows(text)) == sorted(keys), table
    roles = section("docs/reference/configuration.md", "Roles")
    assert set(re.findall(r"^\*\*`(\w+)`", roles, re.MULTILINE)) == set(known["[kinds.listing]"])
    assert set(rows(roles)) == {one.value for one in FilterType}


def test_the_example_configuration_is_right(tmp_path: Path) -> None:
    examples = [
        body for language, body in _BLOCK.findall(PAGES["docs/reference/configuration.md"]) if language == "toml"
    ]
    assert len(examples) == 1
    file = tmp_path / "sidetower.toml"
    file.write_text(examples[0])
    assert problems(file, {}) == []
    # The commented lines are settings as well.
    file.write_text(re.sub(r"^# (?=\w+ = )", "", examples[0], flags=re.MULTILINE))
    assert problems(file, {}) == []
    documented = rows(section("docs/reference/configuration.md", "[kinds.NAME]"))
    assert set(tomllib.loads(file.read_text())["kinds"]["listing"]) == set(documented)


def test_every_environment_variable_is_documented_and_no_other() -> None:
    assert set(rows(section("docs/reference/configuration.md", "Environment"))) == VARIABLES
    for page, text in PAGES.items():
        named = set(re.findall(r"SIDETOWER_[A-Z_]+", text)) - {"SIDETOWER_REQUIRE_ALL"}
        assert named <= VARIABLES, page


def test_every_error_code_is_documented() -> None:
    page = "docs/reference/errors.md"
    table = rows(PAGES[page])
    for kind in every_error():
        if kind is not SidetowerError:
            assert table[kind.code][1:3] == [str(kind.status), str(kind.exit_code)], kind.code
    source = "\n".join(path.read_text() for path in sorted((ROOT / "rerank_service").glob("*.py")))
    service = set(re.findall(r'error_body\(\s*"([a-z_]+)"', source))
    by_status = re.search(r"_CODES: Final = \{(.*?)\}", source, re.DOTALL)
    assert by_status
    service |= set(re.findall(r'\d+: "([a-z_]+)"', by_status[1]))
    assert {"internal", "too_large", "method_not_allowed"} <= service
    assert set(table) == service | {kind.code for kind in every_error()}


def test_every_exit_status_is_documented() -> None:
    table = re.findall(r"^\| (\d+) \|", PAGES["docs/reference/commands.md"], re.MULTILINE)
    assert {str(kind.exit_code) for kind in every_error()} <= set(table)


def test_every_http_route_is_documented_and_no_other(tmp_path: Path) -> None:
    require_module("fastapi", "serve")
    from tests.service.rerank.world import World

    document = World(tmp_path).app().openapi()
    routes = {f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods}
    table = {
        route
        for line in PAGES["docs/reference/http.md"].splitlines()
        for route in re.findall(r"^\| `(\w+ /[^`]+)`", line)
    }
    assert table == routes


def test_every_make_target_is_documented_and_no_other() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):.*##", makefile, re.MULTILINE)) - {"help"}
    named = {target for text in PAGES.values() for target in re.findall(r"(?:^|`)make ([a-z-]+)", text, re.MULTILINE)}
    assert named >= targets
    assert named <= set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))


@pytest.mark.parametrize("page", sorted(PAGES))
def test_every_relative_link_leads_somewhere(page: str) -> None:
    for link in _LINK.findall(_BLOCK.sub("", PAGES[page])):
        if "://" in link:
            continue
        file, _, anchor = link.partition("#")
        target = (ROOT / page).parent / file if file else ROOT / page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(str(target.resolve().relative_to(ROOT))), link


def test_every_named_test_exists() -> None:
    named = [(page, *one) for page, text in PAGES.items() for one in re.findall(r"(tests/[\w/]+\.py)::(\w+)", text)]
    assert named
    for page, file, name in named:
        assert (ROOT / file).exists(), f"{page}: {file}"
        assert re.search(rf"^\s*(async )?def {name}\(", (ROOT / file).read_text(), re.MULTILINE), (
            f"{page}: {file}::{name}"
        )


def test_every_promise_names_its_tests() -> None:
    promises = re.findall(r"^## (\d+)\. ", PAGES["docs/explanation/promises.md"], re.MULTILINE)
    assert promises == [str(number) for number in range(1, 13)]
    for title in re.findall(r"^## (\d+\. .+)$", PAGES["docs/explanation/promises.md"], re.MULTILINE):
        assert "- `tests/" in section("docs/explanation/promises.md", title), title


def test_every_page_is_listed_once() -> None:
    listed = [link.partition("#")[0] for link in _LINK.findall(PAGES["docs/README.md"])]
    pages = [str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md") if path != DOCS / "README.md"]
    assert sorted(listed) == sorted(pages)


def test_the_tutorial_shows_what_init_and_check_say(tmp_path: Path) -> None:
    tutorial = PAGES["docs/tutorial/first-index.md"]
    pasted = re.search(r"^cat > cars.jsonl <<'END'\n(.*?)^END$", tutorial, re.MULTILINE | re.DOTALL)
    assert pasted
    (tmp_path / "cars.jsonl").write_text(pasted[1])
    for words in (["init", "--file", "cars.jsonl"], ["check", "--file", "cars.jsonl"]):
        done = subprocess.run(
            [sys.executable, "-m", "sidetower", *words],
            cwd=tmp_path,
            env={"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        shown = re.search(rf"^\$ sidetower {' '.join(words)}\n(.*?)^```", tutorial, re.MULTILINE | re.DOTALL)
        assert shown
        said = [line.rstrip() for line in done.stdout.splitlines()]
        for line, real in zip(shown[1].splitlines(), said, strict=True):
            assert line == real or (line.endswith(" ...") and real.startswith(line[:-4])), line
