#!/bin/sh
# Installs what building nnc needs and this machine lacks, with apt; sudo when not root.
# --list only prints the packages that are missing. --tests also installs what only the suite `cross`
# uses, where there is such a thing: a compiler, an emulator and zlib for another processor.
set -eu

has() { command -v "$1" >/dev/null 2>&1; }
has_header() { echo "#include <$1>" | cc -E - >/dev/null 2>&1; }
has_llvm() {
    for v in 22 21 20 19; do
        has "llvm-config-$v" && [ -e "$("llvm-config-$v" --includedir)/llvm-c/Core.h" ] && return
    done
    return 1
}

missing=
has cc || missing="$missing gcc libc6-dev"
has make || missing="$missing make"
has flex || missing="$missing flex"
has bison || missing="$missing bison"
has pkg-config || missing="$missing pkg-config"
has cc && has_header zlib.h || missing="$missing zlib1g-dev"
has cc && echo '#include <stdio.h>
#include <jpeglib.h>' | cc -E - >/dev/null 2>&1 || missing="$missing libjpeg-dev"
has cc && has_header png.h || missing="$missing libpng-dev"
has cc && has_header check.h || missing="$missing check"
has_llvm || missing="$missing llvm"

if [ "${1-}" = --list ]; then
    echo $missing
    exit
fi
cross=
[ "${1-}" != --tests ] || [ "$(uname -m)" != x86_64 ] ||
    { has qemu-aarch64 && has aarch64-linux-gnu-gcc; } || cross="qemu-user gcc-aarch64-linux-gnu libc6-dev-arm64-cross zlib1g:arm64"
[ -n "$missing$cross" ] || exit 0

has apt-get || { echo "please install:$missing (llvm 19 to 22 with headers)" >&2; exit 1; }
sudo=
[ "$(id -u)" = 0 ] || sudo=sudo
echo "installing:$missing $cross"
export DEBIAN_FRONTEND=noninteractive
[ -z "$cross" ] || $sudo dpkg --add-architecture arm64
$sudo apt-get -qq update
packages=
for p in $missing; do
    if [ "$p" = llvm ]; then
        p=llvm-19-dev
        apt-cache show llvm-22-dev >/dev/null 2>&1 && p=llvm-22-dev
    fi
    packages="$packages $p"
done
[ -z "$packages" ] ||
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends -y $packages
# Tests are skipped without these.
[ -z "$cross" ] ||
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends -y $cross ||
    echo "not installed:$cross" >&2
