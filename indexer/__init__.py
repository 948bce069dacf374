"""Content change to vector to index: live writes, drains, fills, releases."""
