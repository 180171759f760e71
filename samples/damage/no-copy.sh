#!/bin/sh
# The copy of bundle.json was forgotten.
# verify exits 3
# finds 1 missing bundle.json.bak
set -eu
cd "$1"
rm bundle.json.bak
