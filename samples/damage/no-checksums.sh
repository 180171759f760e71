#!/bin/sh
# SHA256SUMS was forgotten; bundle.json says all that it said.
# verify exits 3
# finds 3 missing SHA256SUMS
set -eu
cd "$1"
rm SHA256SUMS
