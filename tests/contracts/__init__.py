"""One suite for each port; every answer of the port passes it."""
