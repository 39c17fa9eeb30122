#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Kills graft rlhf or graft rlaif with SIGKILL again and again and gives the same command again: the records and adapters of all stages, and
# the report's figures, must have the same bits as those of a run that nobody disturbed. Of graft rlaif the judge is a program that likes
# short answers: the policies must come to give shorter ones.
#   resume_alignment.sh GRAFT MAKE_TINY_MODEL WORK_FOLDER rlhf|rlaif
set -eu
. "$(dirname "$0")/kill_and_resume.sh"
graft=$1 maker=$2 work=$3 method=$4
constitution=$(dirname "$0")/../../examples/constitution.json
rm -rf "$work"
mkdir -p "$work"
"$maker" "$work/model" 60 >/dev/null

i=0
while [ $i -lt 16 ]; do
  i=$((i + 1))
  printf '{"prompt":[{"role":"user","content":"Order %d, please."}],"chosen":[{"role":"assistant","content":"Yes, %d."}],"rejected":[{"role":"assistant","content":"No."}]}\n' $((i * 37)) $((i * 37))
done >"$work/pairs.jsonl"

# align OUTPUT: becomes the program, so call it in a shell of its own; there a kill hits the program itself.
align() {
  output=$1; shift
  set -- --model "$work/model/model.gguf" --precision f32 --data "$work/pairs.jsonl" --eval-data "$work/pairs.jsonl" --retain-data "$work/retain.jsonl" \
    --seed 5 --output "$output" "$@"
  if [ "$method" = rlaif ]; then
    set -- "$@" --constitution "$constitution" --rounds 1 --keep-better --judge length_penalty:0:32 --judge-scale 8 --feedback-tokens 24 --chunk 4
  fi
  exec "$graft" "$method" "$@" sft --rank 4 --dropout 0.1 --learning-rate 1e-3 --batch-size 4 --epochs 3 --save-steps 1 \
    reward --learning-rate 3e-3 --batch-size 4 --epochs 4 --save-steps 1 \
    ppo --learning-rate 1e-3 --batch-size 8 --max-completion-length 24 --beta 0.02 --max-steps 6 --save-steps 1 \
    dpo --learning-rate 1e-3 --batch-size 4 --epochs 2 --save-steps 1
}
printf '{"text":"The quick brown fox jumps over the lazy dog."}\n' >"$work/retain.jsonl"

(align "$work/whole" >"$work/table" 2>"$work/whole.log") || { cat "$work/whole.log"; exit 1; }
(align "$work/whole" --method dpo >"$work/table" 2>"$work/whole.log") || { cat "$work/whole.log"; exit 1; }
cat "$work/table"
for policy in base sft ppo dpo; do grep -q "^$policy " "$work/table"; done
kill_and_resume 0.2 0.4 "$work/killed" align
for stage in sft reward ppo; do cmp "$work/whole/$stage/adapter_model.safetensors" "$work/killed/$stage/adapter_model.safetensors"; done
for policy in base sft ppo; do
  cmp "$work/whole/evaluation-$policy.json" "$work/killed/evaluation-$policy.json"
  cmp "$work/whole/answers-$policy.jsonl" "$work/killed/answers-$policy.jsonl"
done
if [ "$method" = rlaif ]; then
  for records in revisions preferences; do cmp "$work/whole/$records.jsonl" "$work/killed/$records.jsonl"; done
  awk '$1 == "base" { base = $2 } $1 == "ppo" || $1 == "dpo" { if ($2 <= base) exit 1 }' "$work/table" || { echo "$0: no gain by the judge"; exit 1; }
fi
# A stage whose records were edited afterwards is not passed over in silence.
if [ "$method" = rlaif ]; then edited=$work/whole/revisions.jsonl; else edited=$work/pairs.jsonl; fi
head -n 12 "$edited" >"$work/fewer" && cp "$work/fewer" "$edited"
(align "$work/whole" >/dev/null 2>"$work/edited.log") && { echo "$0: edited records were not noticed"; exit 1; }
grep -q "was done with another" "$work/edited.log"
echo "killed $kills times, and all stages have the same bits"
