"""A generated, seeded world to try Sidetower with: no download, no real person, the same bytes every time."""

from sidetower.world.searches import DemoEdit, DemoSearch
from sidetower.world.shoppers import Shopper
from sidetower.world.world import NOW, World, build

__all__ = ["NOW", "DemoEdit", "DemoSearch", "Shopper", "World", "build"]
