"""The oracle run: random interleavings and crashes, held to a plain account of what the index should hold."""
