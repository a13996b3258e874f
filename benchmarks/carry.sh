#!/usr/bin/env bash
# What a bare machine without a network lacks for benchmarks/on_gpu.sh, into .carried/ (ignored by
# git): Python packages in one archive, and on demand photographs.
#
#   benchmarks/carry.sh [--python 3.12] [--ccp DIR] [PACKAGE ...]
#
# The machine is expected to have torch, torchvision, numpy, scipy, h5py and pytest. More packages
# can be named; without a name it is those that are most often missing.
set -euo pipefail
cd "$(dirname "$0")/.."

version=3.12 ccp='' packages=()
while [ $# -gt 0 ]; do
  case $1 in
    --python) version=$2; shift 2 ;;
    --ccp) ccp=$2; shift 2 ;;
    -*) echo "usage: benchmarks/carry.sh [--python 3.12] [--ccp DIR] [PACKAGE ...]" >&2; exit 2 ;;
    *) packages+=("$1"); shift ;;
  esac
done
[ ${#packages[@]} -gt 0 ] || packages=(faiss-cpu 'pillow>=13' click rich markdown-it-py mdurl \
  pygments 'safetensors>=0.8')

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
platforms=()
for glibc in 2_28 2_27 2_17; do platforms+=(--platform "manylinux_${glibc}_x86_64"); done
"${PYTHON:-python3}" -m pip download -q --no-deps --only-binary=:all: --implementation cp \
  --python-version "$version" "${platforms[@]}" --platform manylinux2014_x86_64 \
  -d "$work/wheels" "${packages[@]}"
mkdir -p "$work/site" .carried
for wheel in "$work"/wheels/*.whl; do
  "${PYTHON:-python3}" -m zipfile -e "$wheel" "$work/site"
done
rm -f .carried/site.tar.xz
tar -C "$work/site" -cJf "$work/site.tar.xz" .
mv "$work/site.tar.xz" .carried/
if [ -n "$ccp" ]; then
  rm -rf .carried/ccp
  mkdir .carried/ccp
  cp -r "$ccp/photos" "$ccp/annotations" "$ccp/splits" "$ccp/label_list.mat" .carried/ccp/
fi
du -sh .carried/*
