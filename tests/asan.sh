#!/bin/sh
# The compiled kernels under AddressSanitizer and UndefinedBehaviorSanitizer, fed with damaged
# frames: tests/asan.sh [COUNT]. Needs gcc. A bad read or an overflow ends it with a report.
# PYTHONMALLOC=malloc, since Python's own allocator would hide a read past the end of an object.
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-.venv/bin/python}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/tree"
cp -r pyproject.toml README.md LICENSE engine adapters strategies "$work/tree"
find "$work/tree" -name '*.so' -delete
sanitize="-fsanitize=address,undefined -fno-sanitize-recover=undefined"
CFLAGS="$sanitize -fno-wrapv -fno-omit-frame-pointer -g" LDFLAGS="$sanitize" \
    "$python" -m pip install --quiet --disable-pip-version-check --no-deps --target "$work/installed" "$work/tree"
cp -r bench tests pyproject.toml "$work/installed"
cd "$work/installed"
LD_PRELOAD="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libubsan.so)" \
    ASAN_OPTIONS=detect_leaks=0 PYTHONMALLOC=malloc PYTHONPATH="$work/installed" \
    "$python" -m tests.fuzz_kernel "${1:-1000000}" --seed 5
