#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Kills a training run with SIGKILL again and again and resumes it: its adapter must have the same bits as that of a run
# that nobody disturbed.   resume.sh GRAFT MAKE_TINY_MODEL WORK_FOLDER [lora | full | dpo | kto | bco]
set -eu
. "$(dirname "$0")/kill_and_resume.sh"
graft=$1 maker=$2 work=$3 method=${4:-lora}
rm -rf "$work"
mkdir -p "$work"
"$maker" "$work/model" 3 >/dev/null

i=0
while [ $i -lt 60 ]; do
  i=$((i + 1))
  prompt='"prompt":[{"role":"user","content":"Order '$((i * 37))' of a thing, please."}]'
  answer='[{"role":"assistant","content":"{\"order\":'$((i * 37))'}"}]'
  case $method in
    dpo) printf '{%s,"chosen":%s,"rejected":[{"role":"assistant","content":"No."}]}\n' "$prompt" "$answer" ;;
    kto | bco) printf '{%s,"completion":%s,"label":%s}\n' "$prompt" "$answer" "$([ $((i % 3)) = 0 ] && echo false || echo true)" ;;
    *) printf '{%s,"completion":%s}\n' "$prompt" "$answer" ;;
  esac
done >"$work/train.jsonl"
command=sft
case $method in
  dpo) command=dpo method=lora ;;
  kto | bco) command="kto --loss $method" method=lora ;;
esac

precision=f32  # automatic: each run takes what it measures as fastest

# train OUTPUT [--resume]: becomes the program, so call it in a shell of its own; there a kill hits the program itself.
train() {
  output=$1; shift
  exec "$graft" $command --model "$work/model/model.gguf" --data "$work/train.jsonl" --eval-data "$work/train.jsonl" --method "$method" \
    --rank 4 --dropout 0.1 --learning-rate 1e-3 --schedule cosine --warmup-steps 2 --batch-size 4 --gradient-accumulation 2 \
    --precision "$precision" --epochs 2 --eval-steps 7 --save-steps 2 --seed 5 --output "$output" "$@"
}

(train "$work/whole" 2>/dev/null)
kill_and_resume 0.15 0.25 "$work/killed" train
file=adapter_model.safetensors
[ "$method" = lora ] || file=model.safetensors
cmp "$work/whole/$file" "$work/killed/$file"
echo "killed $kills times, and $file has the same bits"

# What a run found fastest when it began holds when it goes on.
precision=auto
(train "$work/automatic" --max-steps 4 2>/dev/null)
grep -qxE 'f32|bf16' "$work/automatic/precision"
for chosen in f32 bf16; do
  echo $chosen >"$work/automatic/precision"
  (train "$work/automatic" --max-steps 4 --resume 2>&1) | grep -q ", $chosen, "
done
