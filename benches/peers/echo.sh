#!/bin/sh
# Builds those peers of `cargo bench --features http --bench echo` in other languages whose tools
# are installed, and prints the ones that it skipped and how to get their tools. The benchmark finds
# the programs in the folder where this script puts them, and runs them by itself:
#
#   benches/peers/echo.sh [folder]      by default target/tmp/echo-peers
#
# gevent goes into a virtual environment in that folder. PYTHON and CC choose the commands.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
folder=${1:-${CARGO_TARGET_DIR:-$here/../../target}/tmp/echo-peers}
python=${PYTHON:-python3}
cc=${CC:-cc}

mkdir -p "$folder"

skipped() { echo "skipped: $1 (to build it: $2)" >&2; }
built() { echo "built: $1"; }

if ! command -v "$cc" >/dev/null 2>&1; then
    skipped C "apt-get install gcc"
else
    "$cc" -O2 -Wall -Wextra -o "$folder/echo_epoll" "$here/echo_epoll.c"
    built "C: $("$cc" --version | head -n 1)"
fi

if ! command -v go >/dev/null 2>&1; then
    skipped Go "apt-get install golang-go, or https://go.dev/dl"
else
    GO111MODULE=off go build -o "$folder/echo_go" "$here/echo_go.go"
    built "Go: $(go version)"
fi

venv=$folder/venv
if ! { [ -x "$venv/bin/python" ] || "$python" -m venv "$venv"; } >&2; then
    skipped gevent "apt-get install python3-venv"
elif ! "$venv/bin/python" -m pip install --quiet --disable-pip-version-check gevent >&2; then
    skipped gevent "a network with PyPI, or pip install gevent into $venv"
else
    # The benchmark starts a program, so that it need not know about virtual environments.
    printf '#!/bin/sh\nexec "%s" "%s" "$@"\n' "$venv/bin/python" "$here/echo_gevent.py" \
        >"$folder/echo_gevent"
    chmod +x "$folder/echo_gevent"
    built "$("$venv/bin/python" -c 'import gevent, sys; print("gevent", gevent.__version__, "on Python", sys.version.split()[0])')"
fi
