#!/bin/sh
# bundle.json and its copy are both broken, at different places.
# verify exits 4
# error damaged-bundle
set -eu
cd "$1"
file=bundle.json offset=0
byte=$(od -An -tu1 -j "$offset" -N 1 "$file")
printf "\\$(printf %03o $((byte ^ 255)))" | dd of="$file" bs=1 seek="$offset" conv=notrunc status=none
file=bundle.json.bak offset=1
byte=$(od -An -tu1 -j "$offset" -N 1 "$file")
printf "\\$(printf %03o $((byte ^ 255)))" | dd of="$file" bs=1 seek="$offset" conv=notrunc status=none
