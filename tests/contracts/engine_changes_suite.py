"""Changes: whoever keeps copies of items learns of every write since a mark, and of nothing that it could miss."""

from __future__ import annotations

from domain.items import Removal
from domain.ports import Generations, SearchEngine
from domain.versions import pending
from tests import tiny_world as tiny
from tests.contracts.engine_base import EngineBase, fresh_tenant, write


class EngineChangesContract(EngineBase):
    """What was written since a mark."""

    def test_without_a_mark_anything_may_have_changed(self, engine: SearchEngine, scratch: str) -> None:
        assert engine.changes(scratch).keys is None

    def test_every_write_since_the_mark_is_told(self, engine: SearchEngine, scratch: str, tenant: str) -> None:
        made, taken = tiny.key("a", tenant), tiny.key("b", tenant)
        write(engine, scratch, pending(tiny.listing(taken), 1.0))
        mark = engine.changes(scratch).mark
        assert engine.changes(scratch, mark).keys == frozenset()
        write(engine, scratch, pending(tiny.listing(made), 1.0))
        write(engine, scratch, pending(Removal(taken, 2), 2.0))
        found = engine.changes(scratch, mark)
        assert found.keys == frozenset({made, taken})
        assert engine.changes(scratch, found.mark).keys == frozenset()
        # A mark stays good: two readers are at places of their own.
        assert engine.changes(scratch, mark).keys == frozenset({made, taken})

    def test_a_vector_is_a_change_and_a_refused_write_is_none(
        self, engine: SearchEngine, scratch: str, tenant: str
    ) -> None:
        item = tiny.listing(tiny.key("a", tenant), 5)
        write(engine, scratch, pending(item, 1.0))
        mark = engine.changes(scratch).mark
        write(engine, scratch, tiny.with_vector(item, tiny.axis(1)))
        found = engine.changes(scratch, mark)
        assert found.keys == frozenset({item.key})
        write(engine, scratch, pending(tiny.listing(item.key, 4), 1.0))
        assert item.key not in (engine.changes(scratch, found.mark).keys or ())

    def test_a_name_that_was_given_again_is_another_generation(
        self, engine: SearchEngine, generations: Generations
    ) -> None:
        made = tiny.generation()
        generations.create(made)
        write(engine, made.name, pending(tiny.listing(tiny.key("a", fresh_tenant())), 1.0))
        mark = engine.changes(made.name).mark
        generations.drop(made.name)
        generations.create(made)
        try:
            assert engine.changes(made.name, mark).keys is None
        finally:
            generations.drop(made.name)
