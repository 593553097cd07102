"""``python -m worklist``: the command line, for processes that start others."""

from worklist.cli import main

main()
