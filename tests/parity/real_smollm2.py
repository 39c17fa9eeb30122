# SPDX-License-Identifier: Apache-2.0
"""What transformers and PEFT say about the real SmolLM2-135M-Instruct, in the same JSON lines as the program `graft`.

    python tests/parity/real_smollm2.py [--model FILE.gguf] nll --data records.jsonl [--adapter DIR]
    ... generate --prompts prompts.jsonl --max-new-tokens 48 [--adapter DIR]
    ... tokenize < lines.jsonl
    ... make-adapter DIR [--random-b]
    ... export-hf DIR            the dequantised model as a float32 HF directory
    ... check-hf DIR [--adapter DIR]   does transformers load a directory that graft wrote, with the same logits

--hf DIR takes an HF directory in place of the GGUF file, such as that of `real_gemma3.py`. Training: `real_sft.py`.
"""

import json
import sys
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from real_model import base_model, distance, loaded, parser_of, run, say, tokenizer_of
from smollm2_oracle import SmolLm2, negative_log_likelihood, predicted, records_of, supervised_example, with_adapter
from transformers import AutoModelForCausalLM, AutoTokenizer


def nll(options) -> None:
    """`nll`: the model's logits, cross entropy in float64; `nll_float32`: that in float32 too, as transformers has it."""
    model, tokenizer = loaded(options)
    with torch.no_grad():
        for record in records_of(options.data, options.limit):
            example = supervised_example(record, tokenizer, options.max_length)
            logits, targets = predicted(model, example)
            say(nll=negative_log_likelihood(logits.double(), targets).item(),
                nll_float32=negative_log_likelihood(logits, targets).item(), tokens=len(targets))


def prompt_ids(prompt, tokenizer) -> list[int]:
    if isinstance(prompt, str):
        return tokenizer(prompt)["input_ids"]
    return tokenizer.apply_chat_template(prompt, add_generation_prompt=True, tokenize=True, return_dict=True)["input_ids"]


def generate(options) -> None:
    """`smallest_margin` is the least distance of the two best logits on the way: near 0 the choice is a tie."""
    model, tokenizer = loaded(options)
    for record in records_of(options.prompts, options.limit):
        ids = prompt_ids(record["prompt"], tokenizer)
        out = model.generate(input_ids=torch.tensor([ids]), attention_mask=torch.ones(1, len(ids), dtype=torch.long),
                             do_sample=False, max_new_tokens=options.max_new_tokens, eos_token_id=tokenizer.eos_token_id,
                             pad_token_id=tokenizer.pad_token_id, return_dict_in_generate=True, output_logits=True)
        new = out.sequences[0, len(ids):].tolist()
        best = [torch.topk(logits[0].float(), 2).values for logits in out.logits]
        say(text=tokenizer.decode(new, skip_special_tokens=True), ids=new, prompt_ids=ids,
            smallest_margin=min((pair[0] - pair[1]).item() for pair in best))


def tokenize(options) -> None:
    tokenizer = tokenizer_of(options)
    for line in sys.stdin:
        record = json.loads(line)
        if "text" in record:
            say(ids=tokenizer(record["text"])["input_ids"])
        else:
            say(ids=tokenizer.apply_chat_template(record["messages"], tokenize=True, return_dict=True)["input_ids"])


def make_adapter(options) -> None:
    """PEFT's own initialisation (B = 0), or with B from a normal distribution of standard deviation 0.02."""
    torch.manual_seed(options.seed)
    model = base_model(options)
    # PEFT writes it into adapter_config.json, where a path of this machine would mislead.
    model.config.name_or_path = model.name_or_path = Path(options.hf or "SmolLM2-135M-Instruct").name
    adapted = get_peft_model(model, LoraConfig(r=options.rank, lora_alpha=options.alpha, lora_dropout=0.0,
                                               target_modules="all-linear", task_type="CAUSAL_LM"))
    if options.random_b:
        with torch.no_grad():
            for name, parameter in adapted.named_parameters():
                if "lora_B" in name:
                    parameter.normal_(std=0.02)
    adapted.save_pretrained(options.output, save_embedding_layers=False)


def export_hf(options) -> None:
    source = SmolLm2(options.model)
    source.model().save_pretrained(options.output)
    source.tokenizer().save_pretrained(options.output)


HARD_TEXT = "Où est l'école? 1234567 \n\n  x = {'a': [1, 2]}\t🙂🏳️‍🌈 العربية 漢字 <|im_start|>user\nHi<|im_end|>\n I'll we've"


def check_hf(options) -> None:
    """Logits of the directory against the GGUF's (with the adapter in place, if given), and the ids of a hard text."""
    source = SmolLm2(options.model)
    reference = source.model()
    if options.adapter:
        reference = with_adapter(reference, options.adapter)
    tokenizer = source.tokenizer()
    theirs = AutoTokenizer.from_pretrained(options.directory)
    other, report = AutoModelForCausalLM.from_pretrained(options.directory, dtype=torch.float32, output_loading_info=True)
    messages = [{"role": "user", "content": "What is the capital of France?"}]
    ids = prompt_ids(messages, tokenizer)
    with torch.no_grad():
        ours, logits = (m.eval()(input_ids=torch.tensor([ids])).logits[0] for m in (reference, other))
    say(missing_keys=sorted(report["missing_keys"]), unexpected_keys=sorted(report["unexpected_keys"]),
        same_ids=theirs(HARD_TEXT)["input_ids"] == tokenizer(HARD_TEXT)["input_ids"],
        same_chat_ids=prompt_ids(messages, theirs) == ids,
        logits_distance=distance(logits, ours), largest_difference=(logits - ours).abs().max().item(),
        largest_logit=ours.abs().max().item(), same_argmax=bool((logits.argmax(-1) == ours.argmax(-1)).all()),
        eos_token_id=other.generation_config.eos_token_id)


def parser():
    parser = parser_of(__doc__)
    commands = parser.add_subparsers(required=True)

    def command(name, run, *positional):
        sub = commands.add_parser(name)
        sub.set_defaults(run=run)
        for argument in positional:
            sub.add_argument(argument, type=Path)
        return sub

    sub = command("nll", nll)
    sub.add_argument("--data", type=Path, required=True)
    sub.add_argument("--adapter", type=Path)
    sub.add_argument("--limit", type=int)
    sub.add_argument("--max-length", type=int)
    sub = command("generate", generate)
    sub.add_argument("--prompts", type=Path, required=True)
    sub.add_argument("--adapter", type=Path)
    sub.add_argument("--limit", type=int)
    sub.add_argument("--max-new-tokens", type=int, default=48)
    command("tokenize", tokenize)
    sub = command("make-adapter", make_adapter, "output")
    sub.add_argument("--rank", type=int, default=16)
    sub.add_argument("--alpha", type=int, default=32)
    sub.add_argument("--seed", type=int, default=7)
    sub.add_argument("--random-b", action="store_true")
    command("export-hf", export_hf, "output")
    sub = command("check-hf", check_hf, "directory")
    sub.add_argument("--adapter", type=Path)
    return parser


if __name__ == "__main__":
    run(parser())
