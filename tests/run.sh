#!/bin/sh
# Set up a virtual environment and pass the whole suite: the README's second command, and CI's.
set -eu
cd "$(dirname "$0")/.."
[ -x .venv/bin/python ] || python3 -m venv .venv
.venv/bin/python -m pip install --quiet --disable-pip-version-check -e '.[test]'
exec .venv/bin/python -m pytest -n auto "$@"
