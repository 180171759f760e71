#!/bin/sh
# bundle.json makes sense, but is not this bundle's; SHA256SUMS says which of the two is.
# verify exits 3
# finds 1 damaged-table bundle.json
set -eu
cd "$1"
sed 's/"version":"1"/"version":"2"/' bundle.json.bak >bundle.json
