#!/bin/sh
# Runs the workloads of the comparison in those other languages that are installed, and prints the
# ones that it skipped and how to get them. One line per measurement:
#
#   <peer> <workload> <n> <nanoseconds per operation> <answer>
#
# Everything runs on one thread, one program after the other. PYTHON and CXX choose the commands.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python=${PYTHON:-python3}
cxx=${CXX:-c++}

skipped() { echo "skipped: $1 (to run it: $2)" >&2; }

echo "# peer workload n ns_per_op answer"

if ! command -v go >/dev/null 2>&1; then
    skipped Go "apt-get install golang-go, or https://go.dev/dl"
else
    GO111MODULE=off go build -o "$work/go" "$here/workloads.go"
    export GOMAXPROCS=1
    for words in "yield 1" "yield 100" "yield 10000" "yield 100000" "yield 1000000" \
        "spawn_join 1000000" "rendezvous 1000000" "skynet 1000000"; do
        "$work/go" $words
    done
fi

if ! echo '#include <boost/fiber/all.hpp>' | "$cxx" -std=c++17 -x c++ -E - >/dev/null 2>&1; then
    skipped Boost.Fiber "apt-get install g++ libboost-fiber-dev"
else
    "$cxx" -std=c++17 -O3 -DNDEBUG "$here/workloads.cpp" -o "$work/boost" \
        -lboost_fiber -lboost_context -pthread
    for words in "yield 1" "yield 100" "yield 10000" "spawn_join 1000000" "rendezvous 1000000" \
        "skynet 10000"; do
        "$work/boost" $words
    done
fi

if ! "$python" -c 'import greenlet' >/dev/null 2>&1; then
    skipped greenlet "$python -m pip install greenlet"
else
    for words in "yield 1" "yield 100" "yield 10000" "spawn_join 200000" "rendezvous 500000" \
        "chain 100000" "generator 5000000"; do
        "$python" "$here/workloads_greenlet.py" $words
    done
fi

if ! "$python" -c 'import gevent' >/dev/null 2>&1; then
    skipped gevent "$python -m pip install gevent"
else
    for words in "yield 1" "yield 100" "yield 10000" "spawn_join 20000" "rendezvous 50000" \
        "skynet 10000"; do
        "$python" "$here/workloads_gevent.py" $words
    done
fi
