#!/usr/bin/env bash
# Prints the tables of docs/reference/performance.md, measured on this machine now.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

echo "$(nproc) cores, $(awk '/MemTotal/ { printf "%.0f GiB", $2 / 1048576 }' /proc/meminfo), load $(cut -d" " -f1 /proc/loadavg) before" >&2
go run ./e2e/bench "$@"
