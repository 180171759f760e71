#!/bin/sh
# A part is a pipe, on which a careless reader waits forever.
# verify exits 4
# finds 3 not-regular erp.oci.tar
set -eu
cd "$1"
rm erp.oci.tar
mkfifo erp.oci.tar
