#!/usr/bin/env bash
# Builds a program that depends on fibra with several profiles, and prints what an operation takes
# with each, as a multiple of the bare round trip of corosensei in the profile `fat` (`raw`).
#
#     benches/profiles/run.sh [rounds]       5 rounds, a few seconds each; the builds take minutes
#
# A round runs all programs, one after the other. The table has the medians over the rounds.
set -euo pipefail

rounds=${1:-5}
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
work=${TMPDIR:-/tmp}/fibra-profiles
export CARGO_TARGET_DIR=$work/target

mkdir -p "$work/src"
cp "$here/main.rs" "$work/src/main.rs"
cat > "$work/Cargo.toml" <<EOF
[package]
name = "profiles"
version = "0.1.0"
edition = "2024"

[dependencies]
fibra = { path = "$root" }
corosensei = { version = "0.3.4", default-features = false, features = ["default-stack"] }

[workspace]

[profile.thin]
inherits = "release"
lto = "thin"

[profile.one-unit]
inherits = "release"
codegen-units = 1

[profile.fat]
inherits = "release"
lto = "fat"
codegen-units = 1

[profile.off]
inherits = "release"
lto = "off"

[profile.off-one-unit]
inherits = "release"
lto = "off"
codegen-units = 1
EOF

profiles=(release thin one-unit fat off off-one-unit)
for profile in "${profiles[@]}"; do
    cargo build --quiet --manifest-path "$work/Cargo.toml" --profile "$profile"
done

for _ in $(seq "$rounds"); do
    for profile in "${profiles[@]}"; do
        "$CARGO_TARGET_DIR/$profile/profiles" | sed "s/^/$profile /"
    done
done | awk -v order="${profiles[*]}" '
    { n[$1, $2]++; time[$1, $2, n[$1, $2]] = $3 }
    function median(profile, name,    count, i, j, t, v) {
        count = n[profile, name]
        for (i = 1; i <= count; i++) {
            t = time[profile, name, i]
            for (j = i - 1; 1 <= j && t < v[j]; j--) v[j + 1] = v[j]
            v[j + 1] = t
        }
        return v[int((count + 1) / 2)]
    }
    END {
        raw = median("fat", "raw")
        names = split("yield message spawn_join select", name, " ")
        print "| profile | yield | message | spawn and join | `select!` |"
        print "|---|--:|--:|--:|--:|"
        for (p = 1; p <= split(order, profile, " "); p++) {
            printf "| `%s` |", profile[p]
            for (i = 1; i <= names; i++) printf " %.1f |", median(profile[p], name[i]) / raw
            print ""
        }
        printf "raw: %.2f ns\n", raw
    }'
