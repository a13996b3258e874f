#!/usr/bin/env bash
# The demo: synthetic people, or a folder of the user's own, parsed by the network that ships with
# c2l, then through every stage.
#
#   examples/demo.sh OUT [DATA]
set -euo pipefail

OUT=${1:?an output folder is missing}
DATA=${2:-}
C2L=${C2L:-c2l}
HERE=$(dirname "$0")
export C2L SIZE=${SIZE:-128} BATCH=${BATCH:-16} WARMUP=${WARMUP:-14} EPOCHS=${EPOCHS:-2}

# Only a folder that the demo made is replaced, and never one that holds the user's photos.
MARK=.made-by-demo
if [ -e "$OUT" ] && [ ! -e "$OUT/$MARK" ] && [ -n "$(ls -A "$OUT")" ]; then
  echo "$OUT: holds files that the demo did not write; name another folder" >&2
  exit 2
fi
if [ -n "$DATA" ] && [[ "$(realpath -m "$DATA")/" == "$(realpath -m "$OUT")/"* ]]; then
  echo "$DATA: lies in $OUT, which the demo would replace; name another folder for one of them" >&2
  exit 2
fi
rm -rf "$OUT"
mkdir -p "$OUT"
touch "$OUT/$MARK"
if [ -z "$DATA" ]; then
  DATA=$OUT/people
  # Another seed than the one whose drawings taught the shipped network.
  "$C2L" data synth "$DATA" --count 300 --image-size 128 --val-share 0.2 --seed 1
  "$C2L" parse "$DATA" -o "$OUT/parts" --split val
  "$HERE/chain.sh" "$DATA" "$OUT" none
  exit
fi
"$C2L" data check "$DATA" || echo "broken images are left out" >&2
"$C2L" parse "$DATA" -o "$OUT/parts" --on-error skip
"$C2L" fit "$DATA" -o "$OUT/c2l" --image-size "$SIZE" --batch-size "$BATCH" --weights none \
  --warmup "$WARMUP" --epochs "$EPOCHS" --on-error skip
scores=()
if "$C2L" eval "$OUT/c2l" "$DATA" -o "$OUT/c2l.json" --on-error skip; then
  scores=(--scores "$OUT/c2l.json")
else
  echo "no labels to score with: pictures only" >&2
fi
"$C2L" render "$OUT/c2l" "$DATA" -o "$OUT/pictures" --limit 48 --on-error skip \
  "${scores[@]}"
