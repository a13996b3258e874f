#!/usr/bin/env bash
# The five stages chained on a labelled data set: C2L beside PiCIE, DFF, k-means on backbone
# features and the trivial predictors, all from the same start, and the network that ships with c2l,
# which drawings taught and which sees none of these photos before it is scored.
#
#   examples/chain.sh DATA OUT [WEIGHTS]
#
# DATA     a data set with splits train and val (see: c2l data check DATA)
# OUT      a new folder for every artifact
# WEIGHTS  of the backbone: imagenet, none, or a .safetensors or .pth file (default: none)
#
# Settings by environment: SIZE, BATCH, WARMUP, EPOCHS, CLUSTERS, SEED, SHOW, TRAIN, VAL, PAPER=1
# (rows with as many clusters as classes too, without warm-up and merge), DFF_SIZE (its features are
# of a 32nd of the photo: at 128 pixels that would be 4 x 4). The baselines k-means and DFF see the
# weights as they are, and so does "no training", which gets C2L's clusters, merge and sharpening;
# C2L and PiCIE go on from the warm-up, and "more warm-up" takes the epochs that they train.
set -euo pipefail

DATA=${1:?DATA is missing}
OUT=${2:?OUT is missing}
WEIGHTS=${3:-none}
SIZE=${SIZE:-160} BATCH=${BATCH:-32} WARMUP=${WARMUP:-3} EPOCHS=${EPOCHS:-3}
CLUSTERS=${CLUSTERS:-16} SEED=${SEED:-0} SHOW=${SHOW:-24} PAPER=${PAPER:-0}
TRAIN=${TRAIN:-train} VAL=${VAL:-val} DFF_SIZE=${DFF_SIZE:-256}
C2L=${C2L:-c2l}

images=(--image-size "$SIZE" --batch-size "$BATCH" --seed "$SEED" --split "$TRAIN")
merged=(--clusters "$CLUSTERS")
plain=(--clusters 3 --warmup 0 --merge-clusters none --no-sharpen)
mkdir -p "$OUT"

score() { # score ARTIFACT NAME [more options]
  "$C2L" eval "$1" "$DATA" -o "$OUT/$2.json" --split "$VAL" --seed "$SEED" "${@:3}"
}
others=() rivals=()
beside() { # beside LABEL ARTIFACT NAME: score a method that the tables show under LABEL
  echo "--- $1" >&2
  score "$2" "$3" --no-baselines >/dev/null
  others+=("$1=$OUT/$3.json") rivals+=(--rival "$1=$OUT/$3.json")
}

beside "taught by drawings, no training here" drawn drawn

# Baselines on the backbone as it is: k-means on dense features, NMF on the last stage (DFF).
"$C2L" extract "$DATA" -o "$OUT/dense.h5" "${images[@]}" --weights "$WEIGHTS"
"$C2L" cluster "$OUT/dense.h5" -o "$OUT/kmeans.h5" --clusters 3 --seed "$SEED"
beside "k-means on features" "$OUT/kmeans.h5" kmeans
"$C2L" extract "$DATA" -o "$OUT/layer4.h5" "${images[@]}" --image-size "$DFF_SIZE" \
  --weights "$WEIGHTS" --layer layer4
"$C2L" cluster "$OUT/layer4.h5" -o "$OUT/dff.h5" --clusters 3 --seed "$SEED" --method nmf
beside "DFF (NMF)" "$OUT/dff.h5" dff
rm -f "$OUT/dense.h5" "$OUT/layer4.h5"

if [ "$PAPER" = 1 ]; then
  for method in picie c2l; do
    "$C2L" fit "$DATA" -o "$OUT/$method-paper" --method "$method" "${images[@]}" \
      --weights "$WEIGHTS" "${plain[@]}" --epochs "$EPOCHS" --attention-stride 2
    beside "$method, K of 3, no warm-up" "$OUT/$method-paper" "$method-paper"
  done
fi

"$C2L" fit "$DATA" -o "$OUT/untrained" --method picie "${images[@]}" "${merged[@]}" \
  --weights "$WEIGHTS" --warmup 0 --epochs 0
beside "no training, merged alike" "$OUT/untrained" untrained

# A label-free start for the backbone, then PiCIE, C2L and a longer warm-up from it.
"$C2L" fit "$DATA" -o "$OUT/start" --method picie "${images[@]}" "${merged[@]}" \
  --weights "$WEIGHTS" --warmup "$WARMUP" --epochs 0
beside "warm-up only" "$OUT/start" start
"$C2L" fit "$DATA" -o "$OUT/more" --method picie "${images[@]}" "${merged[@]}" \
  --checkpoint "$OUT/start" --warmup "$EPOCHS" --epochs 0
beside "more warm-up" "$OUT/more" more
"$C2L" fit "$DATA" -o "$OUT/picie" --method picie "${images[@]}" "${merged[@]}" \
  --checkpoint "$OUT/start" --warmup 0 --epochs "$EPOCHS"
beside "PiCIE" "$OUT/picie" picie
"$C2L" fit "$DATA" -o "$OUT/c2l" --method c2l "${images[@]}" "${merged[@]}" \
  --checkpoint "$OUT/start" --warmup 0 --epochs "$EPOCHS" --attention-stride 2

score "$OUT/c2l" c2l
"$C2L" compare "C2L=$OUT/c2l.json" "${others[@]}" --against PiCIE -o "$OUT/table.md"
"$C2L" render "$OUT/c2l" "$DATA" -o "$OUT/pictures" --split "$VAL" --limit "$SHOW" \
  --scores "$OUT/c2l.json" "${rivals[@]}"
