"""An installation for one run: storage that outlives its processes, and time that passes when told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from domain.items import Change, Item, ItemKey
from domain.ports import Generations, ItemEmbedder, ReleaseStore, SearchEngine, WorkQueue
from domain.releases import Generation, Pointer, Release, Stage
from domain.versions import StoredItem
from indexer.comparison import Comparison, ComparisonReport
from indexer.drain import Drainer
from indexer.live import LiveWriter
from indexer.reconcile import requeue_pending
from indexer.releases import ReleaseView
from plugin.queues.in_process import InProcessQueue
from tests.oracle.crashing import Gate, Tally, gated
from tests.oracle.storages import Connect, Ports
from tests.support.failing import AWAY
from tests.support.toy_embedder import ToyEmbedder

KIND = "listing"
SPACES = ("space-1", "space-2")
#: A text with this word cannot be embedded.
POISON = "poison"
_EMBEDDERS = {space: ToyEmbedder(space, POISON) for space in SPACES}


class Clock:
    """Seconds that pass when told, for every process alike."""

    def __init__(self) -> None:
        self.now = 1_000_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Wiring:
    """How a process is put together; the broken variants put it together wrongly."""

    def ports(self, ports: Ports) -> Ports:
        """What the storage is reached by."""
        return ports

    def view(self, store: ReleaseStore, clock: Clock) -> ReleaseView:
        """The releases as a process sees them."""
        return ReleaseView(store, clock)

    def worker(self, process: Process) -> tuple[SearchEngine, WorkQueue]:
        """What a worker reads items and claims tasks by."""
        return process.ports.engine, process.queue

    def requeue(self, process: Process, generation: str, older_than: float) -> int:
        """The reconcile of one generation."""
        return requeue_pending(
            process.ports.engine,
            process.queue,
            process.ports.parked,
            generation,
            older_than=older_than,
            clock=process.world.clock,
        )

    def compare(self, process: Process) -> ComparisonReport:
        """The comparison of all generations being written."""
        ports, clock = process.ports, process.world.clock
        return Comparison(ports.engine, ports.generations, process.view, process.queue, clock=clock).run(KIND)


class World:
    """Storage, queue, clock and processes of one run.

    Args:
        connect: opens the storage.
        wiring: of every process.
        tally: counts.
        processes: how many there are at a time.
    """

    def __init__(self, connect: Connect, wiring: Wiring, tally: Tally, processes: int = 3) -> None:
        self.connect = connect
        self.wiring = wiring
        self.tally = tally
        self.history: list[str] = []
        self.clock = Clock()
        self.queue = InProcessQueue(clock=self.clock)
        #: Looks at the storage as nobody's process, without a gate.
        self.eyes = connect()
        self.spaces: dict[str, str] = {}
        first = self.make_generation(SPACES[0], self.eyes.generations)
        self._release = Release(KIND, Pointer(first, "bundle-1"), (first,), Stage.SERVING)
        left = self.eyes.releases.get(KIND)
        self.eyes.releases.put(self._release, left.token if left else None)
        self.processes = [Process(self, f"p{number}") for number in range(processes)]

    def make_generation(self, space: str, generations: Generations) -> str:
        """The name of a new generation of this space, never used before."""
        name = f"{KIND}-{self.tally.runs}-g{len(self.spaces) + 1}"
        self.spaces[name] = space
        generations.create(self._generation(name, space))
        return name

    def _generation(self, name: str, space: str) -> Generation:
        return Generation(
            name, KIND, space, {"title": 3.0, "body": 1.0}, {"make": "keyword"}, created_at=self.clock.now
        )

    def embedder_of(self, generation: str) -> ItemEmbedder:
        """The embedder of the generation's own space."""
        return _EMBEDDERS[self.spaces[generation]]

    def release(self, *, anew: bool = False) -> Release:
        """The release document, as it was when it was last read anew."""
        if anew:
            held = self.eyes.releases.get(KIND)
            assert held is not None
            self._release = held.release
        return self._release

    def existing(self) -> list[str]:
        """The generations that there are."""
        return [one.name for one in self.eyes.generations.all()]

    def lose_queue(self) -> None:
        """The queue is emptied."""
        self.queue = InProcessQueue(clock=self.clock)
        self.history.append("the queue is lost")

    def stored(self, generation: str, keys: Sequence[ItemKey]) -> dict[ItemKey, StoredItem]:
        """What the generation holds of these now."""
        return self.eyes.engine.read(generation, keys)

    def scanned(self, generation: str) -> list[StoredItem]:
        """Everything in the generation, after a refresh."""
        self.eyes.engine.refresh(generation)
        return self.eyes.engine.scan(generation, limit=1_000)


class Process:
    """A process: everything in its memory is made at its start and gone with it.

    Args:
        world: where it runs.
        name: for the history.
    """

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        #: The release store does not answer this process.
        self.cut_off = False
        #: The queue did not answer it once, so it may have left it alone since.
        self.mute = False
        self.gate = Gate(world.tally, world.history, name)
        opened = world.wiring.ports(world.connect())
        self.ports = Ports(
            gated(lambda: opened.engine, "engine", self.gate),
            gated(lambda: opened.generations, "generations", self.gate),
            gated(lambda: self._releases(opened), "releases", self.gate),
            gated(lambda: opened.parked, "parked", self.gate),
        )
        self.queue: WorkQueue = gated(lambda: world.queue, "queue", self.gate)
        self.view = world.wiring.view(self.ports.releases, world.clock)
        self.live = LiveWriter(self.ports.engine, self.view, self.queue, world.embedder_of, world.clock)
        engine, queue = world.wiring.worker(self)
        self.drainer = Drainer(engine, queue, self.ports.parked, world.embedder_of, world.clock)

    def _releases(self, opened: Ports) -> ReleaseStore:
        if self.cut_off:
            raise AWAY
        return opened.releases


def poisoned(change: Change) -> bool:
    """Whether the change can never get a vector."""
    return isinstance(change, Item) and any(POISON in text for text in change.texts.values())
