#!/bin/sh
# A part was forgotten and another one is damaged: damage weighs more.
# verify exits 4
# finds 3 missing shop.oci.tar.002
# finds 4 damaged-block erp.oci.tar
set -eu
cd "$1"
rm shop.oci.tar.002
file=erp.oci.tar offset=0
byte=$(od -An -tu1 -j "$offset" -N 1 "$file")
printf "\\$(printf %03o $((byte ^ 255)))" | dd of="$file" bs=1 seek="$offset" conv=notrunc status=none
