#!/usr/bin/env bash
# Clothing Co-Parsing photographs: every stage, both start weights, one table each.
#
#   examples/ccp.sh CCP OUT [WEIGHTS]
#
# CCP is the data set's folder (photos/, annotations/pixel-level/, splits/); WEIGHTS a file for
# the second table. About half an hour a table on two cores.
set -euo pipefail

CCP=${1:?the data set folder is missing}
OUT=${2:?an output folder is missing}
WEIGHTS=${3:-}
HERE=$(dirname "$0")
export SIZE=${SIZE:-128} WARMUP=${WARMUP:-4} EPOCHS=${EPOCHS:-2} PAPER=${PAPER:-1}

"$HERE/chain.sh" "$CCP" "$OUT/none" none
if [ -n "$WEIGHTS" ]; then
  "$HERE/chain.sh" "$CCP" "$OUT/weights" "$WEIGHTS"
fi
