"""An engineer looks at the stored bundles before serving one."""

from __future__ import annotations

import json

import pytest

from tests.journeys.house import KIND, House

pytestmark = [pytest.mark.training, pytest.mark.slow, pytest.mark.timeout(900)]


def test_the_bundle_that_serves_is_listed_shown_and_found_whole(house_of_two: House) -> None:
    [name] = house_of_two.parts().bundles.ids()
    [row] = house_of_two.json("bundles", "list")["bundles"]
    assert (row["bundle"], row["serves"], row["fault"]) == (name, [KIND], None)
    [shown] = house_of_two.json("bundles", "show", name)["bundles"]
    assert shown["encoder"]["name"] == "bootstrap"
    assert sum(shown["bytes"].values()) / 1e6 == pytest.approx(row["MB"], abs=0.05)
    assert house_of_two.json("bundles", "verify") == {"sound": True, "faults": {name: []}}


def test_a_damaged_bundle_is_told_and_the_exit_status_says_so(copied: House) -> None:
    [name] = copied.parts().bundles.ids()
    folder = copied.parts().bundles.path(name)
    (folder / "scorer.onnx").write_bytes(b"not a network")
    (folder / "user_tower.onnx").unlink()
    told = copied.run("bundles", "verify", name, "--json")
    assert told.returncode == 5
    faults = json.loads(told.stdout)["faults"][name]
    assert {fault["place"].rpartition(", ")[2] for fault in faults} == {"scorer.onnx", "user_tower.onnx"}
    people = copied.run("bundles", "verify")
    assert people.returncode == 5
    assert "no such file" in people.stdout
    assert "Copy the bundle again" in people.stdout


def test_a_broken_manifest_does_not_hide_the_list(copied: House) -> None:
    [name] = copied.parts().bundles.ids()
    (copied.parts().bundles.path(name) / "manifest.json").write_text("{")
    [row] = copied.json("bundles", "list")["bundles"]
    assert "JSON document" in row["fault"]
    assert name in copied.run("bundles", "list").stdout


def test_an_unknown_bundle_is_told(house_of_two: House) -> None:
    done = house_of_two.run("bundles", "show", "bundle-0", "--json")
    assert done.returncode == 4
    assert json.loads(done.stderr)["error"]["code"] == "not_found"
