#!/bin/bash
# usage: tests/run.sh [MAKE ARGUMENT...]
# Builds the tools and runs every test.  tests/run.sh TESTS_FAST=1 leaves the slow ones out, T='t01%' picks by name.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
"$root/examples/setup.sh"
exec make -C "$root/build" check "$@"
