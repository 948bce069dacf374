"""A newcomer proposes a configuration from documents, corrects it, and checks it: the real command line."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import orjson
import pytest

from sidetower.config import load_config
from tests.support.needs import require_module

ROOT = Path(__file__).parents[2]
COUNT = 300


def car(number: int) -> dict[str, Any]:
    return {
        "listing_id": f"car-{number}",
        "shop": ("north", "south")[number % 2],
        "title": f"Fine car number {number}",
        "description": f"Car {number} has one owner, a heated seat, a tow bar and a history of its own.",
        "make": ("VW", "Opel", "BMW")[number % 3],
        "price": 1000 + 7 * number,
        "views": number * number,
        "updated_at": f"2026-01-01T{number % 24:02}:{number % 60:02}:00Z",
    }


CARS = [car(number) for number in range(COUNT)]


def sidetower(folder: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in this folder; warnings are errors there, too."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "sidetower", *arguments],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"], **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.fixture
def cars(tmp_path: Path) -> Path:
    path = tmp_path / "cars.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in CARS), encoding="utf-8")
    return path


@pytest.fixture
def proposed(tmp_path: Path, cars: Path) -> Path:
    """A folder with cars.jsonl and the sidetower.toml proposed from it."""
    assert sidetower(tmp_path, "init", "--file", cars.name).returncode == 0
    return tmp_path


def test_from_documents_to_a_checked_configuration(tmp_path: Path, cars: Path) -> None:
    done = sidetower(tmp_path, "init", "--file", "cars.jsonl")
    assert (done.returncode, done.stderr) == (0, "")
    assert "300 of 300 documents of the sample can be indexed" in done.stdout
    assert "Next: read it, then run sidetower check --file cars.jsonl" in done.stdout
    kind = load_config(tmp_path / "sidetower.toml", {}).kind()
    assert (kind.name, kind.id, kind.tenant, kind.revision) == ("listing", "listing_id", "shop", "updated_at")
    assert kind.text == {"title": 3.0, "make": 2.0, "description": 1.0}
    done = sidetower(tmp_path, "check", "--file", "cars.jsonl")
    assert (done.returncode, done.stderr) == (0, "")
    assert "All of the 300 documents tried can be indexed as listing." in done.stdout


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_tables_give_the_same_kind_as_lines(proposed: Path, suffix: str) -> None:
    table = proposed / f"cars{suffix}"
    if suffix == ".csv":
        with table.open("w", newline="", encoding="utf-8") as stream:
            rows = csv.DictWriter(stream, list(CARS[0]), delimiter=";")
            rows.writeheader()
            rows.writerows(CARS)
    else:
        require_module("pyarrow", "serve")
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.Table.from_pylist(CARS), table)
    done = sidetower(proposed, "init", "--file", table.name, "--out", "other.toml")
    assert done.returncode == 0, done.stderr
    assert load_config(proposed / "other.toml", {}).kinds == load_config(proposed / "sidetower.toml", {}).kinds
    assert "sidetower check --config other.toml --file" in done.stdout


def test_an_existing_file_is_replaced_only_by_force(proposed: Path) -> None:
    before = (proposed / "sidetower.toml").read_text()
    done = sidetower(proposed, "init", "--file", "cars.jsonl", "--kind", "van")
    assert done.returncode == 2
    assert "--force" in done.stderr
    assert (proposed / "sidetower.toml").read_text() == before
    assert sidetower(proposed, "init", "--file", "cars.jsonl", "--kind", "van", "--force").returncode == 0
    assert list(load_config(proposed / "sidetower.toml", {}).kinds) == ["van"]


def test_one_broken_line_is_told_and_the_rest_is_proposed_from(tmp_path: Path, cars: Path) -> None:
    cars.write_text(cars.read_text().replace('{"listing_id": "car-16"', '{listing_id: "car-16"'))
    done = sidetower(tmp_path, "init", "--file", "cars.jsonl", "--json")
    assert done.returncode == 0
    assert "1 of 300 places cannot be read; the first: cars.jsonl line 17" in done.stderr
    answer = json.loads(done.stdout)
    assert (answer["kind"], answer["documents"], answer["valid"]) == ("listing", 299, 299)
    assert {"field": "title", "role": "text 3.0"}.items() <= answer["roles"][3].items()


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["init"], 2, "a file, or an index"),
        (["init", "--file", "none.csv"], 2, "no such file"),
        (["init", "--file", "cars.jsonl", "--kind", "My Cars"], 2, "lower-case"),
        (["init", "--file", "cars.jsonl", "--out", "none/sidetower.toml"], 2, "a place to write to"),
        (["init", "--index", "cars"], 2, "--opensearch"),
        (["init", "--opensearch", "http://ann:hush@a", "--index", "cars"], 2, "without user and password"),
        (["init", "--opensearch", "http://127.0.0.1:9", "--index", "cars"], 7, "a connection"),
        (["check", "--file", "cars.jsonl"], 2, "sidetower init"),
        (["check", "--limit", "none"], 2, "--limit"),
    ],
)
def test_what_cannot_be_done_says_the_way_out_without_a_traceback(
    tmp_path: Path, cars: Path, arguments: list[str], status: int, words: str
) -> None:
    done = sidetower(tmp_path, *arguments)
    assert done.returncode == status
    assert words in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert "hush" not in done.stderr


def test_errors_are_json_where_json_is_asked_for(tmp_path: Path) -> None:
    done = sidetower(tmp_path, "init", "--file", "none.csv", "--json")
    assert done.stdout == ""
    error = json.loads(done.stderr)["error"]
    assert set(error) == {"code", "place", "expected", "got", "fix"}
    assert (error["code"], error["place"]) == ("source", "none.csv")


def test_check_tells_all_problems_of_a_configuration_at_once(proposed: Path) -> None:
    path = proposed / "sidetower.toml"
    path.write_text(path.read_text().replace("title = 3.0", "title = -3.0").replace("signal = [", "signals = ["))
    done = sidetower(proposed, "check")
    assert done.returncode == 2
    assert "[kinds.listing] text.title" in done.stdout
    assert "Did you mean signal?" in done.stdout
    assert "2 problems" in done.stdout
    answer = json.loads(sidetower(proposed, "check", "--json").stdout)
    assert answer["ok"] is False
    assert [problem["code"] for problem in answer["problems"]] == ["configuration"] * 2


def test_check_counts_the_faults_of_documents_and_names_the_first(proposed: Path) -> None:
    broken = [one | ({"price": "on request"} if number % 10 == 4 else {}) for number, one in enumerate(CARS)]
    (proposed / "new.jsonl").write_bytes(b"".join(orjson.dumps(one) + b"\n" for one in broken) + b"{half\n")
    done = sidetower(proposed, "check", "--file", "new.jsonl", "--json")
    answer = json.loads(done.stdout)
    assert done.returncode == 3
    assert (answer["documents"], answer["valid"]) == (COUNT + 1, COUNT - COUNT // 10)
    price, half = answer["problems"]
    assert (price["place"], price["count"], price["got"]) == ("new.jsonl line 5, field price", 30, "'on request'")
    assert (half["place"], half["count"]) == (f"new.jsonl line {COUNT + 1}", 1)


def test_check_finds_the_field_that_was_misspelt(proposed: Path) -> None:
    path = proposed / "sidetower.toml"
    path.write_text(path.read_text().replace('"views"', '"veiws"'))
    done = sidetower(proposed, "check", "--file", "cars.jsonl")
    assert done.returncode == 2
    assert "Did you mean views?" in done.stdout


def test_help_and_check_stay_light(proposed: Path) -> None:
    heavy = ("onnxruntime", "tensorflow", "fastapi", "celery", "opensearchpy", "pyarrow", "torch")
    for arguments in (["--help"], ["check", "--file", "cars.jsonl"], ["init", "--file", "cars.jsonl", "--force"]):
        program = (
            f"import sys; sys.argv[1:] = {arguments!r}\n"
            "import sidetower.cli\n"
            "try:\n    sidetower.cli.main()\n"
            f"finally:\n    assert not [name for name in {heavy!r} if name in sys.modules]\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=proposed,
            env={"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr


def test_control_signs_of_documents_never_reach_the_terminal(tmp_path: Path) -> None:
    rows = [{"id": number, "title": f"car {number} \x1b[31mred\x07"} for number in range(30)]
    (tmp_path / "cars.jsonl").write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    done = sidetower(tmp_path, "init", "--file", "cars.jsonl")
    assert done.returncode == 0
    assert "\x1b" not in done.stdout + (tmp_path / "sidetower.toml").read_text()


def test_interrupting_ends_with_130_and_no_traceback(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "endless.jsonl")  # nobody writes to it, so that opening it waits
    program = (
        "import sys; sys.argv[1:] = ['init', '--file', 'endless.jsonl']\n"
        "import sidetower.cli, plugin.files.opening\n"
        "print('ready', flush=True)\n"
        "sidetower.cli.main()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in told


@pytest.mark.opensearch
def test_from_an_index_of_a_real_cluster(tmp_path: Path, opensearch_url: str) -> None:
    from plugin.opensearch.client import connect

    client = connect(opensearch_url)
    lines = [line for one in CARS for line in ({"index": {"_index": "host-init", "_id": one["listing_id"]}}, one)]
    client.indices.create(index="host-init")
    client.bulk(body="".join(orjson.dumps(line).decode() + "\n" for line in lines), refresh=True)
    try:
        done = sidetower(tmp_path, "init", "--opensearch", opensearch_url, "--index", "host-init")
        assert done.returncode == 0, done.stderr
        config = load_config(tmp_path / "sidetower.toml", {})
        assert config.engine.opensearch == opensearch_url.rstrip("/")
        kind = config.kind()
        assert (kind.name, kind.id, kind.tenant, kind.revision) == ("listing", "listing_id", "shop", "updated_at")
        assert kind.text == {"title": 3.0, "make": 2.0, "description": 1.0}
        done = sidetower(tmp_path, "init", "--opensearch", opensearch_url, "--index", "host-nowhere", "--force")
        assert done.returncode == 2
        assert "host-nowhere" in done.stderr
    finally:
        client.indices.delete(index="host-init")
        client.close()
