#!/usr/bin/env bash
# Everything that a GPU has to answer, the most important first, on a machine that may have nothing
# but torch. Each part has a time limit of its own, and writes what it has as it goes.
#
#   benchmarks/on_gpu.sh [--rehearse] [--out DIR] [--ccp DIR] [--weights FILE] [--pieces] [PART ...]
#
#   smoke   every command on small drawn photos
#   tests   tests/gpu
#   gpu     python -m benchmarks gpu
#   teach   the network taught by drawings, at 320 pixels
#   tables  Table 1 on CCP at 320 pixels, batch 96, ten epochs, three seeds
#
# Without a part all of them run; `tables` needs --ccp. Limits in seconds: SMOKE, TESTS, BENCH,
# TEACH, TABLES in the environment. --rehearse runs all of it on the CPU with tiny sizes. --pieces
# packs the results after each part into results.tar.gz.* of 15 MB. Where benchmarks/carry.sh left
# something in .carried/, it is used.
set -uo pipefail
cd "$(dirname "$0")/.."

usage() { sed -n '5,11p' benchmarks/on_gpu.sh >&2; exit 2; }
rehearse=0 pieces=0 out=${OUT:-on_gpu} ccp='' weights=drawn parts=()
while [ $# -gt 0 ]; do
  case $1 in
    --rehearse) rehearse=1; shift ;;
    --pieces) pieces=1; shift ;;
    --out) out=${2:?}; shift 2 ;;
    --ccp) ccp=$(realpath "${2:?}"); shift 2 ;;
    --weights) weights=$(realpath "${2:?}"); shift 2 ;;
    smoke | tests | gpu | teach | tables) parts+=("$1"); shift ;;
    *) usage ;;
  esac
done
[ ${#parts[@]} -gt 0 ] || parts=(smoke tests gpu teach tables)

export PYTHON=${PYTHON:-python3} ROOT=$PWD WEIGHTS=$weights PYTHONUNBUFFERED=1
mkdir -p "$out"
place=$(realpath "$out")
export WORK; WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
export RESULTS=$place
[ $pieces = 0 ] || { RESULTS=$WORK/results; mkdir "$RESULTS"; }

# What was carried stays unpacked, for a second call on the same machine.
site=${TMPDIR:-/tmp}/c2l-carried-$(id -u)
if [ -f .carried/site.tar.xz ] && [ ! -f "$site/complete" ]; then
  mkdir -p "$site" && "$PYTHON" -m tarfile -e .carried/site.tar.xz "$site" >/dev/null && touch "$site/complete"
fi
mkdir "$WORK/names" && ln -s "$ROOT/cli" "$WORK/names/c2l_cli"
export PYTHONPATH=$ROOT:$WORK/names:$site${PYTHONPATH:+:$PYTHONPATH}
[ -n "$ccp" ] || { [ ! -d .carried/ccp ] || ccp=$ROOT/.carried/ccp; }

export DEVICE=cuda SIDE=320 BATCH=96 EPOCHS=10 SEEDS='0 1 2' TINY='' TAUGHT=''
export C2L_TESTS_GPU=cuda
if [ $rehearse = 1 ]; then
  DEVICE=cpu SIDE=64 BATCH=8 EPOCHS=1 SEEDS='0' TINY=--tiny C2L_TESTS_GPU=cpu
  TAUGHT='--side 64 --batch 4 --draw-size 48 --pool 8 --reuse 2 --steps 3'
fi
export CCP=$ccp
c2l() { "$PYTHON" -c 'from c2l_cli.main import run; run()' "$@"; }

smoke() {
  mkdir "$WORK/smoke"
  "$PYTHON" -m benchmarks.smoke "$RESULTS/smoke.json" --work "$WORK/smoke" --device $DEVICE \
    --side $((SIDE < 128 ? SIDE : 128))
}

tests() {
  # The quick ones first. In a rehearsal, without those whose like is in every run of the tests.
  "$PYTHON" -m pytest tests/gpu/test_[!s]*.py tests/gpu/test_stages.py -p no:cacheprovider -q \
    -o filterwarnings=default --durations=8 -rfE ${TINY:+-k "not proved and not side_by_side and not exactly and not rendered"}
}

gpu() {
  "$PYTHON" -m benchmarks gpu --device $DEVICE $TINY --out "$RESULTS/gpu.json" ${CCP:+--ccp "$CCP"}
}

teach() {
  "$PYTHON" -m benchmarks.teach_within $((LIMIT - 25)) "$WORK/taught" --device $DEVICE $TAUGHT || return
  c2l export "$WORK/taught" -o "$RESULTS/predictor.safetensors"
  cp "$WORK/taught/metrics.jsonl" "$RESULTS/taught.jsonl"
  [ -z "$CCP" ] || c2l eval "$RESULTS/predictor.safetensors" "$CCP" -o "$RESULTS/taught.json" \
    --device $DEVICE --split val
}

# row NAME SEED [options of fit]: train, score and forget one run.
row() {
  local name=$1 seed=$2 run=$WORK/tables/$1-$2; shift 2
  c2l fit "$CCP" -o "$run" "$@" --seed "$seed" --split train --device $DEVICE --weights "$WEIGHTS" \
    --image-size "$SIDE" --batch-size "$BATCH" --epochs "$EPOCHS" -q &&
    c2l eval "$run" "$CCP" -o "$RESULTS/tables/$name-$seed.json" --split val --device $DEVICE -q \
      --no-baselines &&
    grep '"kind": "step"' "$run/metrics.jsonl" | tail -1
  local code=$?
  rm -rf "$run"
  return $code
}

# The seeds of a row share the GPU; a table is written after each row.
tables() {
  local name seed failed=0
  if [ -n "$TINY" ]; then
    c2l data synth "$WORK/drawn" -n 24 --image-size 64 -q
    export CCP=$WORK/drawn
  fi
  [ -n "$CCP" ] || { echo "tables: no --ccp"; return 2; }
  mkdir -p "$RESULTS/tables"
  while read -r name options; do
    [ -z "$TINY" ] || [ "$name" = c2l ] || [ "$name" = picie ] || continue
    local started=$SECONDS jobs=()
    for seed in $SEEDS; do
      # shellcheck disable=SC2086
      SLURM_CPUS_PER_TASK=${CORES:-4} row "$name" "$seed" $options & jobs+=($!)
    done
    for job in "${jobs[@]}"; do wait "$job" || failed=1; done
    echo "$name: $((SECONDS - started)) s"
    c2l compare "$RESULTS"/tables/*.json -o "$RESULTS/table1.md" --overwrite -q
  done <<ROWS
c2l --preset paper
picie --preset picie
part-only --preset paper --pixel off
ffn --preset paper --pixel ffn
own-readings --preset paper --part assigned --code-input detach --cross-view
ROWS
  return $failed
}

export -f c2l smoke tests gpu teach row tables
state=0 job=''
# Who ends the script ends its part.
trap '[ -z "$job" ] || kill "$job" 2>/dev/null; exit 143' INT TERM HUP
part() { # part NAME SECONDS
  local started=$SECONDS code
  LIMIT=$2 timeout -k 10 "$2" bash -c "$1" >"$RESULTS/$1.log" 2>&1 &
  job=$!
  wait $job
  code=$?
  [ $code = 0 ] || state=1
  echo "=== $1: $([ $code = 0 ] && echo ok || echo "failed with $code") after $((SECONDS - started)) s"
  tail -n 40 "$RESULTS/$1.log"
  if [ $pieces = 1 ]; then
    tar -C "$RESULTS" -czf - . | split -b 15m - "$WORK/piece." &&
      rm -f "$place"/results.tar.gz.* &&
      for piece in "$WORK"/piece.*; do mv "$piece" "$place/results.tar.gz.${piece##*.}"; done
  fi
}

"$PYTHON" - <<'CHECK' || exit 1
import importlib, sys
missing = []
for name in "torch torchvision faiss numpy scipy PIL click h5py rich safetensors pytest".split():
    try:
        importlib.import_module(name)
    except ImportError as error:
        missing.append(f"{name} ({error})")
if missing:
    sys.exit(f"missing: {', '.join(missing)}; see benchmarks/carry.sh")
CHECK
for name in "${parts[@]}"; do
  case $name in
    smoke) part smoke "${SMOKE:-$((rehearse ? 240 : 120))}" ;;
    tests) part tests "${TESTS:-240}" ;;
    gpu) part gpu "${BENCH:-300}" ;;
    teach) part teach "${TEACH:-480}" ;;
    tables) part tables "${TABLES:-540}" ;;
  esac
done
exit $state
