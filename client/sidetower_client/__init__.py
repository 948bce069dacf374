"""Searches of an OpenSearch client, ranked by a Sidetower service; the engine's order whenever that fails."""

from sidetower_client.settings import Event, Options
from sidetower_client.wrapping import RerankingOpenSearch, wrap

__all__ = ["Event", "Options", "RerankingOpenSearch", "wrap"]
