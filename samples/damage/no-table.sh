#!/bin/sh
# bundle.json was forgotten; its copy is there.
# verify exits 3
# finds 1 missing bundle.json
set -eu
cd "$1"
rm bundle.json
