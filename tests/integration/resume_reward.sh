#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Kills the training of a reward model with SIGKILL and resumes it until it ends: adapter and head must have the same bits as
# those of a run that nobody disturbed; and graft score must read them.   resume_reward.sh GRAFT MAKE_TINY_MODEL WORK_FOLDER
set -eu
. "$(dirname "$0")/kill_and_resume.sh"
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
  exec "$graft" reward --model "$work/model/model.gguf" --precision f32 --data "$work/pairs.jsonl" --eval-data "$work/pairs.jsonl" --rank 4 \
    --dropout 0.1 --learning-rate 1e-3 --batch-size 4 --gradient-accumulation 2 --center-rewards-coefficient 0.01 --epochs 2 \
    --eval-steps 7 --save-steps 2 --seed 5 --output "$output" "$@"
}

(train "$work/whole" >"$work/table" 2>/dev/null)
kill_and_resume 0.3 0.6 "$work/killed" train
cmp "$work/whole/adapter_model.safetensors" "$work/killed/adapter_model.safetensors"
grep -q '"task_type": "SEQ_CLS"' "$work/killed/adapter_config.json"
grep -q '^s1 ' "$work/table"
"$graft" score --model "$work/model/model.gguf" --adapter "$work/killed" --data "$work/pairs.jsonl" --pairs >"$work/rewards" 2>/dev/null
[ "$(wc -l <"$work/rewards")" = 60 ]
echo "killed $kills times, and adapter and head have the same bits"
