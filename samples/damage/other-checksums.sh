#!/bin/sh
# SHA256SUMS gives another sum for a part.
# verify exits 3
# finds 3 wrong-checksums SHA256SUMS
set -eu
cd "$1"
sed -i '/erp.oci.tar/s/^......../00000000/' SHA256SUMS
