#!/usr/bin/env bash
# Checks what `make run` (or `make test`) needs from the system. As root on Debian it installs what is missing, after saying
# so; otherwise it prints the exact line to type and stops.
set -euo pipefail
what=${1:-run}
missing=() packages=() fatal=()

need() { # need COMMAND PACKAGE
  command -v "$1" >/dev/null 2>&1 && return
  missing+=("$1")
  packages+=("$2")
}

version_at_least() { # version_at_least FOUND WANTED
  [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]
}

need git git
need make make
need cc gcc
need bwrap bubblewrap
python3 -c 'import venv, ensurepip' 2>/dev/null || { missing+=("python3 with venv"); packages+=("python3-venv"); }
ldconfig -p 2>/dev/null | grep -q 'libseccomp\.so\.2' || { missing+=("libseccomp"); packages+=("libseccomp2"); }
if [ "$what" = test ]; then
  need chromium chromium
  need firefox-esr firefox-esr
  need redis-server redis-server
  need strace strace
  need faketime faketime
  need nft nftables
  need ip iproute2
  need mkfs.xfs xfsprogs
  ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || { missing+=("PostgreSQL server"); packages+=("postgresql"); }
fi

if ! python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
  fatal+=("Python 3.11 or newer is needed (found: $(python3 --version 2>/dev/null || echo none)). On Debian 12: apt-get install python3 python3-venv")
fi
node_version=$(node --version 2>/dev/null | tr -d v || true)
if [ -z "$node_version" ] || ! version_at_least "$node_version" 20; then
  fatal+=("Node.js 20 or newer is needed (found: ${node_version:-none}). Install it from https://nodejs.org or your distribution.")
fi
cargo_version=$(cargo --version 2>/dev/null | cut -d ' ' -f 2 || true)
if [ -z "$cargo_version" ] || ! version_at_least "$cargo_version" 1.95; then
  fatal+=("Rust (cargo) 1.95 or newer is needed (found: ${cargo_version:-none}). Install it with: curl https://sh.rustup.rs -sSf | sh")
fi

if [ ${#packages[@]} -gt 0 ]; then
  line="apt-get install --yes --no-install-recommends ${packages[*]}"
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "Missing: ${missing[*]}. Installing from Debian: ${packages[*]}"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends "${packages[@]}" >/dev/null
  else
    fatal+=("Missing: ${missing[*]}. On Debian, type:  sudo $line")
  fi
fi
if [ ${#fatal[@]} -gt 0 ]; then
  printf '%s\n' "${fatal[@]}" >&2
  exit 1
fi
