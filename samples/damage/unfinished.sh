#!/bin/sh
# Packing was interrupted.
# verify exits 5
# error incomplete-bundle
set -eu
cd "$1"
rm bundle.json bundle.json.bak SHA256SUMS README.txt
: >bundle.json.partial
mv erp.oci.tar erp.oci.tar.001.partial
