"""The demo world: always the same, plausible, readable, and with tastes that show."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from itertools import combinations
from typing import Any

import numpy as np
import pytest

from domain.catalogue import Kind
from domain.items import EVERYONE, Item
from sidetower.config import load_config
from sidetower.world import NOW, Shopper, World, build
from sidetower.world.articles import AGENTS, articles, flowing
from sidetower.world.cars import models
from sidetower.world.listings import DEALERS, SHOPS, Listing, listings
from sidetower.world.prose import dice, said
from sidetower.world.shoppers import SHOPPERS
from sidetower.world.tastes import Stock

Document = dict[str, Any]


@pytest.fixture(scope="module")
def world() -> World:
    return build(seed=7)


@pytest.fixture(scope="module")
def offered() -> list[Listing]:
    return listings(7, NOW)


@pytest.fixture(scope="module")
def kinds(world: World, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Kind]:
    path = tmp_path_factory.mktemp("demo") / "sidetower.toml"
    path.write_text(world.config_toml, encoding="utf-8")
    return load_config(path, {}).kinds


@pytest.fixture(scope="module")
def cars(world: World) -> list[Document]:
    return [document for _, document in world.documents["listing"]]


@pytest.fixture(scope="module")
def help_pages(world: World) -> list[Document]:
    return [document for _, document in world.documents["article"]]


def _sentences(texts: Iterable[str]) -> list[str]:
    parts = [part.strip() for text in texts for part in re.split(r"(?<=[.!?])\s+|\n+", text)]
    return [part for part in parts if len(part.split()) > 2]


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def _shingles(text: str) -> set[tuple[str, ...]]:
    words = _words(text)
    return {tuple(words[place : place + 3]) for place in range(len(words) - 2)}


def _jaccard(left: set[tuple[str, ...]], right: set[tuple[str, ...]]) -> float:
    return len(left & right) / len(left | right)


def _digest(world: World) -> str:
    told = [dict(world.documents), [asdict(event) for event in world.events()], [asdict(one) for one in world.searches]]
    return hashlib.sha256(json.dumps(told, ensure_ascii=False).encode()).hexdigest()


def test_the_same_seed_gives_the_same_bytes_in_another_process(world: World) -> None:
    # The order of sets differs between processes; nothing may depend on it.
    code = "from sidetower.world import build; from tests.unit.test_world import _digest; print(_digest(build(seed=7)))"
    environment = {**os.environ, "PYTHONHASHSEED": "123", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout.strip() == _digest(world)


def test_another_seed_gives_another_world(world: World) -> None:
    other = build(seed=8)
    same = sum(a == b for a, b in zip(world.documents["listing"], other.documents["listing"], strict=True))
    assert same == 0
    assert other.shoppers != world.shoppers


def test_another_present_moves_every_date() -> None:
    later = NOW + timedelta(days=365)
    moved = build(seed=7, now=later)
    newest = max(document["updated_at"] for _, document in moved.documents["listing"])
    assert later - timedelta(days=1) < datetime.fromisoformat(newest) <= later
    assert later - timedelta(days=7) < datetime.fromtimestamp(moved.events()[-1].timestamp, UTC) < later


def test_two_tenants_of_each_kind_and_as_many_documents_as_promised(world: World) -> None:
    shops = Counter(tenant for tenant, _ in world.documents["listing"])
    centres = Counter(tenant for tenant, _ in world.documents["article"])
    assert shops == SHOPS
    assert shops.total() == 1_900 + 1_100
    assert set(centres) == {"autohaus", "norrhem"}
    assert 270 <= centres.total() <= 330
    assert Counter(one.tenant for one in world.shoppers) == SHOPPERS
    assert len(world.shoppers) == 400


def test_every_document_becomes_an_item(world: World, kinds: Mapping[str, Kind]) -> None:
    assert set(kinds) == set(world.documents)
    for name, documents in world.documents.items():
        items: list[Item] = [kinds[name].item(document, tenant=tenant) for tenant, document in documents]
        assert len({item.key for item in items}) == len(documents)
        assert all(set(item.texts) == set(kinds[name].text) for item in items)


def test_the_configuration_reads_every_field_of_the_documents(world: World, kinds: Mapping[str, Kind]) -> None:
    for name, documents in world.documents.items():
        assert all(set(document) == kinds[name].fields() for _, document in documents)


def test_equal_ids_of_two_tenants_are_two_things(world: World) -> None:
    for documents in world.documents.values():
        by_id = Counter(next(iter(document.values())) for _, document in documents)
        assert by_id.most_common(1)[0][1] == 2


def test_nothing_is_younger_than_the_present(world: World) -> None:
    for documents in world.documents.values():
        assert all(datetime.fromisoformat(document["updated_at"]) <= NOW for _, document in documents)
    assert all(event.timestamp < NOW.timestamp() for event in world.events())


def test_most_listings_are_for_everyone_and_some_for_dealers_only(cars: list[Document]) -> None:
    audiences = Counter(tuple(car["visible_to"]) for car in cars)
    assert set(audiences) == {(EVERYONE,), (DEALERS,)}
    assert 0.03 < audiences[DEALERS,] / len(cars) < 0.15


def test_some_articles_are_for_agents_only(help_pages: list[Document]) -> None:
    internal = [page for page in help_pages if page["visible_to"] == [AGENTS]]
    assert len(internal) >= 5
    assert all(page["section"] == "Agents" for page in internal)
    assert all(page["visible_to"] == [EVERYONE] for page in help_pages if page not in internal)


def test_the_price_falls_with_age_and_with_mileage(cars: list[Document]) -> None:
    for model in ("Golf", "Clio", "Octavia", "3 Series", "MX-5"):
        those = [car for car in cars if car["model"] == model]
        price = np.log([car["price"] for car in those])
        assert len(those) > 10
        assert np.corrcoef(price, [car["first_registration"] for car in those])[0, 1] > 0.6
        assert np.corrcoef(price, np.log([car["mileage"] for car in those]))[0, 1] < -0.3


def test_no_electric_car_has_an_engine(cars: list[Document]) -> None:
    electric = [car for car in cars if car["fuel"] == "electric"]
    wrong = re.compile(
        r"diesel|petrol|litres|\boil\b|spark plug|exhaust|injector|\btdi\b|clutch bites|timing belt", re.I
    )
    told = [car["description"] + " " + " ".join(car["equipment"]) for car in electric]
    # "going back to petrol" is what people say who left it.
    found = [text for text in told if wrong.search(text.lower().replace("going back to petrol", ""))]
    assert len(electric) > 200
    assert found == []
    assert {car["gearbox"] for car in electric} == {"automatic"}


def test_only_electric_cars_have_a_charging_cable_and_only_convertibles_a_wind_deflector(cars: list[Document]) -> None:
    assert {car["fuel"] for car in cars if "charging cable type 2" in car["equipment"]} == {"electric"}
    assert {car["body"] for car in cars if "wind deflector" in car["equipment"]} == {"convertible"}


def test_cars_are_as_their_models_are(cars: list[Document]) -> None:
    known = {
        (one.make, one.model, one.body, engine.fuel, engine.power, one.seats)
        for one in models()
        for engine in one.engines
    }
    for car in cars:
        assert (car["make"], car["model"], car["body"], car["fuel"], car["power_kw"], car["seats"]) in known
        assert 1_998 < car["first_registration"] <= NOW.year
        assert 400 <= car["price"] <= 190_000
        assert 10 <= car["mileage"] <= 390_000
        assert len(set(car["equipment"])) == len(car["equipment"])


def test_the_table_has_makes_and_models_enough() -> None:
    assert len({model.make for model in models()}) >= 25
    assert len(models()) >= 110
    assert all(engine.years[0] <= engine.years[1] for model in models() for engine in model.engines)


def test_texts_have_no_holes_and_a_sane_length(cars: list[Document], help_pages: list[Document]) -> None:
    for title, body in [(car["title"], car["description"]) for car in cars]:
        assert 4 <= len(title) <= 100
        assert 2 <= len(body.split()) <= 200
        assert not re.search(r"[{}\[\]|]|  ", body)
    lengths = [len(page["body"].split()) for page in help_pages]
    assert all(10 <= len(page["title"]) <= 90 for page in help_pages)
    assert min(lengths) >= 35
    assert max(lengths) <= 250
    assert all(2 <= page["body"].count("\n\n") + 1 <= 6 for page in help_pages)
    assert not any(re.search(r"[{}\[\]|]|  ", page["title"] + page["body"]) for page in help_pages)


def test_sellers_do_not_all_write_the_same(cars: list[Document]) -> None:
    descriptions = [car["description"] for car in cars]
    sentences = _sentences(descriptions)
    assert len(set(descriptions)) > 0.99 * len(descriptions)
    assert len({car["title"] for car in cars}) > 0.9 * len(cars)
    assert len(set(sentences)) > 0.33 * len(sentences)
    assert Counter(sentences).most_common(1)[0][1] < 0.04 * len(cars)


def test_the_length_of_descriptions_varies(cars: list[Document]) -> None:
    lengths = np.percentile([len(car["description"].split()) for car in cars], [5, 50, 95])
    assert lengths[0] < 16
    assert 40 < lengths[1] < 90
    assert lengths[2] > 90


def test_no_two_articles_are_near_duplicates() -> None:
    pages = [(one.topic, _shingles(one.document["body"])) for one in articles(7, NOW)]
    for (topic, left), (other, right) in combinations(pages, 2):
        # Variants of a product share their frame, no more.
        assert _jaccard(left, right) < (0.5 if topic == other else 0.1)


def test_titles_of_articles_are_unique_within_a_centre(world: World) -> None:
    titles = [(tenant, page["title"]) for tenant, page in world.documents["article"]]
    assert len(set(titles)) == len(titles)


def _share(shopper: Shopper, fitting: set[str]) -> float:
    return sum(event.object_id in fitting for event in shopper.events) / len(shopper.events)


def test_events_agree_with_the_taste_far_above_chance(world: World, offered: list[Listing]) -> None:
    stocks = {shop: Stock(one for one in offered if one.offer.tenant == shop) for shop in SHOPS}
    agreed, by_chance = [], []
    for shopper in (one for one in world.shoppers if len(one.events) > 10):
        stock = stocks[shopper.tenant]
        fits = np.any([taste.fits(stock) for taste in shopper.tastes], axis=0)
        agreed.append(_share(shopper, {stock.listings[place].offer.id for place in np.flatnonzero(fits).tolist()}))
        by_chance.append(fits.mean())
    assert np.mean(by_chance) < 0.1
    assert np.mean(agreed) > 0.65
    assert np.mean(np.array(agreed) > 3 * np.array(by_chance)) > 0.95


@pytest.mark.parametrize(
    ("words", "field", "value"),
    [
        ("small electric city cars", "fuel", "electric"),
        ("petrol sports cars", "fuel", "petrol"),
        ("camper vans", "body", "camper"),
        ("two-seat convertibles", "body", "convertible"),
    ],
)
def test_the_words_of_a_taste_say_what_was_opened(world: World, words: str, field: str, value: str) -> None:
    documents = {(tenant, car["listing_id"]): car for tenant, car in world.documents["listing"]}
    opened = [
        documents[event.tenant, event.object_id][field]
        for one in world.shoppers
        if len(one.tastes) == 1 and one.taste.startswith(words)
        for event in one.events
    ]
    everywhere = [car[field] for car in documents.values()]
    assert len(opened) > 100
    assert opened.count(value) / len(opened) > 0.6
    assert opened.count(value) / len(opened) > 1.5 * everywhere.count(value) / len(everywhere)


def test_events_are_of_public_listings_that_were_online(world: World, offered: list[Listing]) -> None:
    listed = {(one.offer.tenant, one.offer.id): one for one in offered}
    for event in world.events():
        one = listed[event.tenant, event.object_id]
        assert one.document["visible_to"] == [EVERYONE]
        assert one.offer.listed.timestamp() < event.timestamp
        assert event.action_name in {"view", "click", "add_to_favorites", "contact"}
        assert bool(event.user_query) == (event.action_name == "click")


def test_some_listings_were_never_opened_and_some_shoppers_are_new(world: World) -> None:
    opened = {(event.tenant, event.object_id) for event in world.events()}
    new = [one for one in world.shoppers if len(one.events) <= 2]
    eclectic = [one for one in world.shoppers if len(one.tastes) == 2]
    assert len(opened) < 0.8 * len(world.documents["listing"])
    assert 20 < len(new) < 80
    assert all(one.taste.endswith("(new here)") for one in new)
    assert 20 < len(eclectic) < 80


def test_events_of_a_shopper_are_in_order(world: World) -> None:
    for one in world.shoppers:
        times = [event.timestamp for event in one.events]
        assert times == sorted(times)
        assert {(event.tenant, event.user_id) for event in one.events} <= {(one.tenant, one.user_id)}


def test_searches_name_shoppers_who_exist_and_words_that_match(world: World) -> None:
    people = {(one.tenant, one.user_id): one for one in world.shoppers}
    personal = [search for search in world.searches if search.user_id]
    assert len(personal) >= 6
    for search in personal:
        assert (search.tenant, search.user_id) in people
    for search in world.searches:
        texts = _texts(world.documents[search.kind], search.tenant)
        found = sum(not set(_words(search.text)).isdisjoint(words) for words in texts)
        assert found > 3
        assert search.why.endswith(".")


def _texts(documents: Sequence[tuple[str, Document]], tenant: str) -> list[set[str]]:
    return [
        set(_words(document["title"] + " " + str(document.get("description", document.get("body")))))
        for owner, document in documents
        if owner == tenant
    ]


def test_the_edit_is_a_newer_revision_that_alone_is_found(world: World, kinds: Mapping[str, Kind]) -> None:
    edit = world.edit
    before = kinds[edit.kind].item(edit.before, tenant=edit.tenant)
    after = kinds[edit.kind].item(edit.after, tenant=edit.tenant)
    assert after.key == before.key
    assert after.revision > before.revision
    assert (edit.tenant, edit.before) in world.documents[edit.kind]
    wanted = set(_words(edit.text))
    assert all(wanted.isdisjoint(words) for words in _texts(world.documents[edit.kind], edit.tenant))
    assert wanted <= set(_words(str(edit.after["title"])))


def test_a_line_takes_one_alternative_and_fills_its_slots() -> None:
    said_so = {said("[a|b] {make} is [small|big]", {"make": "Octavia"}, dice(1, place)) for place in range(50)}
    assert said_so == {f"{article} Octavia is {size}" for article in ("an", "b") for size in ("small", "big")}


def test_paragraphs_flow_and_lists_keep_their_lines() -> None:
    assert flowing("one\ntwo\n\n1. first\nstep\n2. second\n") == "one two\n\n1. first step\n2. second"
