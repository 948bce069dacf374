"""OpenSearch 2.19 and 3.x: engine, generations, releases, parked items, and the host's index as an item source."""
