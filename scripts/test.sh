#!/usr/bin/env bash
# Checks and tests the whole workspace, cheap checks first; stops at the first step that fails.
#
#   scripts/test.sh                 every step
#   scripts/test.sh lint test       these steps
#   scripts/test.sh --list          the steps and what each does
#
# Everything but `package` is built with the profile `ci` into one target folder, so that a step reuses what an earlier one has built.
# As root on Debian or Ubuntu it installs the peers that the interop tests run; otherwise it names those that are missing.
# With CI set in the environment, a missing rustfmt or clippy is a failure; without, that step is left out and said so at the end.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

steps='tools peers format layers lint alone test doctest doc package'
declare -A about=(
    [tools]='Rust and a C compiler are there, new enough'
    [peers]='SIPp, baresip, Kamailio and openssl are there (installs them as root)'
    [format]='cargo fmt --check'
    [layers]='no crate depends on one above it; the check itself finds what it should'
    [lint]='clippy without a warning, all targets'
    [alone]='each crate compiles by itself without its default features'
    [test]='all tests, by nextest where it is installed'
    [doctest]='the examples in the documentation'
    [doc]='cargo doc without a warning'
    [package]='every crate can be packaged, and compiles from its package'
)
left_out=()
# What no crate of the workspace asks of another, and users may.
features=(--features blether-sip-core/serde,blether-sip-core/xml)

# ends the step: what is wrong, then what mends it
fail() {
    printf '%s\n' "$@" >&2
    return 1
}

step_tools() {
    command -v cargo >/dev/null || { fail 'cargo is missing: install Rust from https://rustup.rs'; return; }
    command -v cc >/dev/null || { fail 'a C compiler is missing: apt-get install gcc libc6-dev, or what your system calls it'; return; }
    local wanted have
    wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
    have=$(rustc --version | cut -d' ' -f2)
    [[ $(printf '%s\n' "$wanted" "${have%%-*}" | sort -V | head -n 1) == "$wanted" ]] ||
        fail "Rust $have is older than $wanted, which this workspace needs: rustup update stable"
}

step_peers() {
    local missing=()
    command -v sipp >/dev/null || missing+=(sip-tester)
    command -v baresip >/dev/null || missing+=(baresip-core)
    command -v openssl >/dev/null || missing+=(openssl)
    PATH=$PATH:/usr/sbin command -v kamailio >/dev/null || missing+=(kamailio)
    [[ -d /usr/share/kamailio/db_sqlite ]] || missing+=(kamailio-sqlite-modules)
    compgen -G '/usr/lib/*/kamailio/modules/tls.so' >/dev/null || missing+=(kamailio-tls-modules)
    command -v rtpengine >/dev/null || missing+=(rtpengine-daemon)
    ((${#missing[@]})) || return 0
    if [[ $(id -u) -ne 0 ]] || ! command -v apt-get >/dev/null; then
        fail "the interop tests need these Debian packages, which are missing: ${missing[*]}" \
            "install them: sudo apt-get install ${missing[*]}"
        return
    fi
    echo "installing ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -q && apt-get install -q -y --no-install-recommends "${missing[@]}"
}

# Whether a rustup component is there. If it is not: a failure in CI, a step left out elsewhere.
component() { # COMPONENT PROGRAM STEP
    cargo "$2" --version >/dev/null 2>&1 && return 0
    echo "$1 is missing: rustup component add $1"
    left_out+=("$3 (rustup component add $1)")
    return 1
}

step_format() {
    component rustfmt fmt format || { [[ -z ${CI:-} ]]; return; }
    cargo fmt --all --check || fail 'mend it with: cargo fmt --all'
}

step_layers() {
    scripts/check-layers && scripts/check-layers --self-test
}

step_lint() {
    component clippy clippy lint || { [[ -z ${CI:-} ]]; return; }
    cargo clippy --locked --profile ci --workspace "${features[@]}" --all-targets -- -D warnings
}

step_alone() {
    local manifest crate
    for manifest in */Cargo.toml; do
        crate=$(sed -n 's/^name = "\(.*\)"/\1/p;T;q' "$manifest")
        cargo check --locked --quiet --profile ci -p "$crate" --no-default-features ||
            { fail "$crate does not compile alone: a feature that it needs of a dependency comes from another crate"; return; }
    done
    # For a machine without an operating system, if its target is installed.
    local target
    target=$(rustup target list --installed 2>/dev/null | grep -m 1 -e '-none-' || true)
    cargo check --locked --quiet --manifest-path sip-core/tests/no_std/Cargo.toml \
        --target-dir "${CARGO_TARGET_DIR:-target}" ${target:+--target "$target"} ||
        fail 'sip-core needs std: what is new in it must come from core or alloc'
}

step_test() {
    if cargo nextest --version >/dev/null 2>&1; then
        cargo nextest run --locked --cargo-profile ci --workspace "${features[@]}"
    else
        cargo test --locked --profile ci --workspace "${features[@]}" --no-fail-fast --lib --bins --tests --examples
    fi
}

step_doctest() {
    cargo test --locked --profile ci --workspace "${features[@]}" --doc
}

step_doc() {
    RUSTDOCFLAGS="-D warnings" cargo doc --locked --profile ci --no-deps --workspace "${features[@]}"
}

step_package() {
    # Cargo takes a package of ours for one of a registry, which never changes under its version: what was unpacked and built of an earlier
    # commit must go.
    rm -rf "${CARGO_HOME:-$HOME/.cargo}"/registry/{src,cache}/-*/blether-* "${CARGO_TARGET_DIR:-target}"/{package,debug/.fingerprint/blether-*}
    # Builds each package from its own archive, in the profile `dev` (cargo offers no choice): so a file left out of one is found.
    cargo package --locked --workspace --allow-dirty --no-metadata
}

for argument in "$@"; do
    if [[ $argument == --list ]]; then
        for step in $steps; do printf '%-8s %s\n' "$step" "${about[$step]}"; done
        exit 0
    elif [[ -z ${about[$argument]:-} ]]; then
        echo "no step is named '$argument'; the steps are: $steps" >&2
        exit 2
    fi
done

summary=()
for step in ${*:-$steps}; do
    printf '\n== %s: %s\n' "$step" "${about[$step]}"
    began=$SECONDS
    if "step_$step"; then
        summary+=("$(printf '%-8s %5d s' "$step" $((SECONDS - began)))")
    else
        printf '\n== %s failed after %d s: %s\n== again with: scripts/test.sh %s\n' "$step" $((SECONDS - began)) "${about[$step]}" "$step" >&2
        exit 1
    fi
done

printf '\n== all passed in %d s\n' "$SECONDS"
printf '%s\n' "${summary[@]}"
if ((${#left_out[@]})); then
    printf 'left out: %s\n' "${left_out[@]}"
fi
