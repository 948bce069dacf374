"""GET /healthz and /readyz."""

from __future__ import annotations

from dataclasses import replace

from domain.errors import Unavailable
from rerank_service.shelf import RankingBundle
from tests.service.rerank.world import World
from tests.support.service_client import ServiceClient
from tests.support.toy_bundle import ToyBundle


def test_alive_needs_nothing(empty_world: World) -> None:
    def down(kind: str) -> None:
        raise Unavailable("engine", expected="an answer", got="none", fix="Start it.")

    answer = ServiceClient(empty_world.app(release=down), None).ask("GET", "/healthz")
    assert (answer.status_code, answer.json()) == (200, {"alive": True})


def test_ready_names_generations_and_bundles(empty_world: World) -> None:
    answer = ServiceClient(empty_world.app(), None).ask("GET", "/readyz")
    assert answer.status_code == 200
    assert answer.json() == {
        "ready": True,
        "checks": {"engine": "ok"},
        "kinds": {
            kind: {"generation": f"{kind}-g1", "bundle": "toy-1", "state": "ready"} for kind in ("listing", "article")
        },
        "degraded": {},
    }


def test_a_check_that_fails_keeps_traffic_away(empty_world: World) -> None:
    def down() -> None:
        raise Unavailable("redis", expected="a pong", got="nothing", fix="Start it.")

    answer = ServiceClient(empty_world.app(checks={"redis": down}), None).ask("GET", "/readyz")
    told = answer.json()
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert told["ready"] is False
    assert told["error"]["code"] == "unavailable"
    assert told["checks"]["redis"] in told["error"]["got"]
    assert told["kinds"]["listing"]["state"] == "ready"


def test_every_pointer_of_the_release_must_be_loaded(empty_world: World) -> None:
    release = empty_world.releases["listing"]
    empty_world.releases["listing"] = replace(release, tenants={"south": replace(release.default, bundle="gone")})
    answer = ServiceClient(empty_world.app(), None).ask("GET", "/readyz")
    assert answer.status_code == 503
    assert answer.json()["kinds"]["listing"]["state"].startswith("bundle_missing: bundle gone")


def test_not_ready_before_the_first_release_and_ready_after_it(empty_world: World) -> None:
    releases = dict(empty_world.releases)
    empty_world.releases.clear()
    client = ServiceClient(empty_world.app(), None)
    assert client.ask("GET", "/readyz").status_code == 503
    empty_world.releases.update(releases)
    assert client.ask("GET", "/readyz").status_code == 200


def test_a_model_that_breaks_later_degrades_but_keeps_traffic(empty_world: World) -> None:
    client = ServiceClient(empty_world.app(), None)
    assert client.ask("GET", "/readyz").status_code == 200
    empty_world.serve("listing", bundle="gone")
    answer = client.ask("GET", "/readyz")
    assert answer.status_code == 200
    assert answer.json()["kinds"]["listing"]["state"].startswith("bundle_missing")


def test_a_bundle_is_loaded_once(empty_world: World) -> None:
    loads: list[str] = []

    def load(bundle_id: str) -> RankingBundle:
        loads.append(bundle_id)
        return ToyBundle()

    client = ServiceClient(empty_world.app(bundle=load))
    for _ in range(3):
        client.ask("GET", "/readyz")
        client.search(query="red")
    assert loads == ["toy-1"]
