#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The quickstart's task: customer messages → JSON tickets. Makes the data, fine-tunes a LoRA adapter, and compares on held-out
# records whose names, products and order numbers never occurred in training: untuned, prompted, few-shot, tuned.
#   GRAFT=path/to/graft MODEL=model.gguf run.sh [OUTPUT] [further flags of `graft sft`]
set -eu
: "${GRAFT:?the program}" "${MODEL:?the model}"
output=${1:-$(dirname "$GRAFT")/../quickstart}
[ $# -eq 0 ] || shift
mkdir -p "$output"
output=$(cd "$output" && pwd)
tools=$(dirname "$GRAFT")

"$tools/make_tickets" "$output/data"
"$GRAFT" sft --model "$MODEL" --data "$output/data/train.jsonl" --eval-data "$output/data/valid.jsonl" \
  --rank 16 --alpha 32 --learning-rate 2e-3 --schedule cosine --warmup-steps 8 --batch-size 4 --max-steps "${QUICKSTART_STEPS:-150}" --seed 1 \
  --output "$output/adapter" "$@"
"$GRAFT" evaluate --model "$MODEL" --adapter "$output/adapter" --data "$output/data/test.jsonl" \
  --prompted "$output/data/test_prompted.jsonl" --few-shot "$output/data/test_fewshot.jsonl" \
  --max-new-tokens 40 --batch-size 200 --report "$output/report.json"
echo
echo "adapter (PEFT):  $output/adapter"
echo "loss curve:      $output/adapter/loss.svg"
echo "figures:         $output/report.json"
