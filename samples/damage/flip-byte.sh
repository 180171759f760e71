#!/bin/sh
# One byte in the middle of a part is flipped, as a bad stick does.
# verify exits 4
# finds 4 damaged-block shared.oci.tar.001
set -eu
cd "$1"
file=shared.oci.tar.001 offset=40000
byte=$(od -An -tu1 -j "$offset" -N 1 "$file")
printf "\\$(printf %03o $((byte ^ 255)))" | dd of="$file" bs=1 seek="$offset" conv=notrunc status=none
