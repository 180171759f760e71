#!/bin/sh
# bundle.json and its copy name a part outside of the bundle.
# verify exits 4
# error damaged-bundle
set -eu
cd "$1"
sed -i 's/"erp.oci.tar"/"..\/erp.oci.tar"/' bundle.json bundle.json.bak
