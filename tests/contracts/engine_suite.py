"""The whole contract of a search engine; an adapter's test class inherits it and supplies two fixtures."""

from __future__ import annotations

from tests.contracts.engine_changes_suite import EngineChangesContract
from tests.contracts.engine_filter_suite import EngineFilterContract, EngineWallContract
from tests.contracts.engine_read_suite import EngineReadContract
from tests.contracts.engine_repair_suite import EngineRepairContract
from tests.contracts.engine_search_suite import EngineTextContract, EngineVectorContract
from tests.contracts.engine_write_suite import EngineWriteContract


class EngineContract(
    EngineWriteContract,
    EngineRepairContract,
    EngineReadContract,
    EngineChangesContract,
    EngineTextContract,
    EngineVectorContract,
    EngineFilterContract,
    EngineWallContract,
):
    """Everything that `domain.ports.SearchEngine` promises.

    Subclasses supply the fixtures `engine` and `generations`, of class scope or wider (a class-scoped fixture in a
    class is a `classmethod`), and `respace`, which gives a generation another space under the engine's hands.
    """
