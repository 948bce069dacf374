"""The gateway: OpenSearch's own search API before the host's cluster, its hits ranked for the person who asks."""
