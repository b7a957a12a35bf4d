#!/bin/sh
# Stands in for mount.nfs inside the test cloud: mounts HOST:FOLDER, which is on this very
# machine, by binding it. What follows are options of NFS.
exec mount --bind "${1#*:}" "$2"
