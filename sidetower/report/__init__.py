"""Reports that people open in a browser: one file, no network, no script."""
