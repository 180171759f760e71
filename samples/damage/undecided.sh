#!/bin/sh
# One bit of bundle.json is wrong, its copy is gone, and SHA256SUMS names another sum: one of the two is wrong.
# verify exits 4
# error undecided-table
set -eu
cd "$1"
sed -i 's/"version":"1"/"version":"3"/' bundle.json
rm bundle.json.bak
