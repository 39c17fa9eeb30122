#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Kills the training of a reward model with SIGKILL and resumes it until it ends: adapter and head must have the same bits as
# those of a run that nobody disturbed; and graft score must read them.   resume_reward.sh GRAFT MAKE_TINY_MODEL WORK_FOLDER
set -eu
graft=$1 maker=$2 work=$3
rm -rf "$work"
mkdir -p "$work"
"$maker" "$work/model" 3 >/dev/null

i=0
while [ $i -lt 60 ]; do
  i=$((i + 1))
  printf '{"prompt":[{"role":"user","content":"Order %d, please."}],"chosen":[{"role":"assistant","content":"Yes, %d."}],"rejected":[{"role":"assistant","content":"No."}],"source":"s%d"}\n' $((i * 37)) $((i * 37)) $((i % 2))
done >"$work/pairs.jsonl"

# train OUTPUT [--resume]: becomes the program, so call it in a shell of its own; there a kill hits the program itself.
train() {
  output=$1; shift
  exec "$graft" reward --model "$work/model/model.gguf" --data "$work/pairs.jsonl" --eval-data "$work/pairs.jsonl" --rank 4 \
    --dropout 0.1 --learning-rate 1e-3 --batch-size 4 --gradient-accumulation 2 --center-rewards-coefficient 0.01 --epochs 2 \
    --eval-steps 7 --save-steps 2 --seed 5 --output "$output" "$@"
}

(train "$work/whole" >"$work/table" 2>/dev/null)
kills=0
resume=
while :; do
  train "$work/killed" $resume >/dev/null 2>"$work/log" &
  child=$!
  # Each try lives a little longer than the one before, so that the run gets to its end, and dies wherever that is.
  sleep "$(awk -v k=$kills 'BEGIN { srand(); printf "%.3f", 0.3 + 0.3 * k + 0.2 * rand() }')"
  if ! kill -9 $child 2>/dev/null; then
    wait $child || { cat "$work/log"; exit 1; }
    break
  fi
  wait $child 2>/dev/null || true
  kills=$((kills + 1))
  # A folder with .tmp- in its name is a checkpoint that the kill cut short.
  ls -d "$work"/killed/checkpoint-*[0-9] 2>/dev/null | grep -qv "[.]tmp-" && resume=--resume || resume=
  [ $kills -lt 200 ] || { echo "resume_reward.sh: the run never ends"; exit 1; }
done
[ $kills -gt 0 ] || { echo "resume_reward.sh: the run ended before it could be killed"; exit 1; }
cmp "$work/whole/adapter_model.safetensors" "$work/killed/adapter_model.safetensors"
grep -q '"task_type": "SEQ_CLS"' "$work/killed/adapter_config.json"
grep -q '^s1 ' "$work/table"
"$graft" score --model "$work/model/model.gguf" --adapter "$work/killed" --data "$work/pairs.jsonl" --pairs >"$work/rewards" 2>/dev/null
[ "$(wc -l <"$work/rewards")" = 60 ]
echo "killed $kills times, and adapter and head have the same bits"
