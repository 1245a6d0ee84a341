#!/bin/sh
# Installs what building nnc needs and this machine lacks, with apt; sudo when not root.
# --list only prints the packages that are missing.
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
[ -n "$missing" ] || exit 0

has apt-get || { echo "please install:$missing (llvm 19 to 22 with headers)" >&2; exit 1; }
sudo=
[ "$(id -u)" = 0 ] || sudo=sudo
echo "installing:$missing"
export DEBIAN_FRONTEND=noninteractive
$sudo apt-get -qq update
packages=
for p in $missing; do
    if [ "$p" = llvm ]; then
        p=llvm-19-dev
        apt-cache show llvm-22-dev >/dev/null 2>&1 && p=llvm-22-dev
    fi
    packages="$packages $p"
done
$sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends -y $packages
