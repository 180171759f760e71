#!/bin/sh
# Only the parts arrived.
# verify exits 6
# error not-a-bundle
set -eu
cd "$1"
rm bundle.json bundle.json.bak
