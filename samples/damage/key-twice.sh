#!/bin/sh
# A key stands twice in bundle.json and its copy: two readers could take two different values.
# verify exits 4
# error damaged-bundle
set -eu
cd "$1"
sed -i 's/"version":"1"/"version":"1","version":"1"/' bundle.json bundle.json.bak
