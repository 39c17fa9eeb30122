#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Kills a run of graft grpo, ppo or online-dpo with SIGKILL again and again and resumes it: its adapter must have the same bits as that
# of a run that nobody disturbed, and so must its last checkpoint, the critic and the KL coefficient in it.
#   resume_policy.sh GRAFT MAKE_TINY_MODEL WORK_FOLDER grpo|ppo|online-dpo
set -eu
. "$(dirname "$0")/kill_and_resume.sh"
graft=$1 maker=$2 work=$3 method=$4
rm -rf "$work"
mkdir -p "$work"
"$maker" "$work/model" 3 >/dev/null

i=0
while [ $i -lt 12 ]; do
  i=$((i + 1))
  printf '{"prompt":[{"role":"user","content":"Order %d, please."}],"answer":"%d"}\n' $((i * 37)) $((i * 37))
done >"$work/train.jsonl"

own="--num-generations 2 --num-iterations 2 --num-mini-batches 2 --kl-target 0.1 --kl-horizon 50"
[ "$method" != online-dpo ] || own="--num-generations 4 --loss sigmoid,ipo --use-weighting --missing-eos-penalty 0.5"

# learn OUTPUT [--resume]: becomes the program, so call it in a shell of its own; there a kill hits the program itself.
learn() {
  output=$1; shift
  exec "$graft" "$method" --model "$work/model/model.gguf" --precision f32 --data "$work/train.jsonl" --reward repetition_penalty:1,length_penalty:2:8 \
    --rank 4 --dropout 0.1 --learning-rate 1e-3 --batch-size 2 --max-completion-length 8 $own --beta 0.05 --max-steps 8 --save-steps 1 --seed 5 --output "$output" "$@"
}

(learn "$work/whole" 2>/dev/null)
kill_and_resume 0.15 0.3 "$work/killed" learn
cmp "$work/whole/adapter_model.safetensors" "$work/killed/adapter_model.safetensors"
for file in trainable.safetensors optimizer.safetensors trainer_state.json; do
  cmp "$work/whole/checkpoint-8/$file" "$work/killed/checkpoint-8/$file"
done
echo "killed $kills times, and adapter, critic, optimizer and KL coefficient have the same bits"
