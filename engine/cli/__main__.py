"""`python -m engine.cli`: the same as `ballast`, for a process that starts another."""

from engine.cli.main import main

main()
