"""``python -m sidetower``."""

from sidetower.cli import main

main()
