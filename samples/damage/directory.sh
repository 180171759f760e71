#!/bin/sh
# A part is a directory.
# verify exits 4
# finds 3 not-regular erp.oci.tar
set -eu
cd "$1"
rm erp.oci.tar
mkdir erp.oci.tar
