#!/usr/bin/env bash
# Makes .venv with the package and its tools, and sees to the compilers and emulators. Safe to run again.
#
#   scripts/setup.sh demo    what `make demo` needs
#   scripts/setup.sh test    what the tests need
set -euo pipefail
cd "$(dirname "$0")/.."
purpose=${1:-test}

say() { printf 'setup: %s\n' "$*" >&2; }

apt_install() { # packages: installs them as root, or says what to install
    say "installing $*"
    local run=()
    if [ "$(id -u)" -ne 0 ]; then
        if command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
            run=(sudo)
        else
            say "root is needed for this. Run: apt-get install $*"
            exit 1
        fi
    fi
    if ! command -v apt-get >/dev/null; then
        say "no apt-get here. Install by your system's way: $*"
        exit 1
    fi
    "${run[@]}" apt-get update -qq
    "${run[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

missing=()
need() { command -v "$1" >/dev/null || missing+=("${@:2}"); }
need cc gcc libc6-dev
need arm-none-eabi-gcc gcc-arm-none-eabi libnewlib-arm-none-eabi
if [ "$purpose" = test ]; then
    need qemu-system-arm qemu-system-arm
    need clang clang
    need cmake cmake
    need ninja ninja-build
fi

python=
for candidate in python3.11 python3.12 python3.10 python3; do
    if "$candidate" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 13))' 2>/dev/null; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    say "Python 3.10, 3.11 or 3.12 is needed. Debian 12: apt-get install python3 python3-venv"
    exit 1
fi
"$python" -c 'import venv, ensurepip' 2>/dev/null || missing+=(python3-venv)
[ ${#missing[@]} -eq 0 ] || apt_install "${missing[@]}"

stamp=.venv/.installed
[ -x .venv/bin/python ] || "$python" -m venv .venv
if [ ! -f $stamp ] || [ setup.cfg -nt $stamp ] || [ pyproject.toml -nt $stamp ]; then
    say "installing Python packages into .venv (TensorFlow is large; some minutes)"
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --upgrade pip
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
    touch $stamp
fi
