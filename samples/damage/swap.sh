#!/bin/sh
# Two parts of one size changed places.
# verify exits 4
# finds 4 damaged-block shared.oci.tar.001
# finds 4 damaged-block shop.oci.tar.001
set -eu
cd "$1"
mv shared.oci.tar.001 aside
mv shop.oci.tar.001 shared.oci.tar.001
mv aside shop.oci.tar.001
