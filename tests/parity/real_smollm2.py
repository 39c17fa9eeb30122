# SPDX-License-Identifier: Apache-2.0
"""What transformers and PEFT say about the real SmolLM2-135M-Instruct, in the same JSON lines as the program `graft`.

    python tests/parity/real_smollm2.py [--model FILE.gguf] nll --data records.jsonl [--adapter DIR]
    ... generate --prompts prompts.jsonl --max-new-tokens 48 [--adapter DIR]
    ... tokenize < lines.jsonl
    ... make-adapter DIR [--random-b]
    ... sft --data records.jsonl --init-adapter DIR --output DIR
    ... trl-sft ...              the same run by TRL's SFTTrainer
    ... compare-adapters A B [--init DIR]
    ... export-hf DIR            the dequantised model as a float32 HF directory
    ... check-hf DIR [--adapter DIR]   does transformers load a directory that graft wrote, with the same logits
"""

import argparse
import json
import sys
from pathlib import Path

import fixture_files  # noqa: F401  (sets one thread and keeps the hub out)
import torch
from datasets import Dataset
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file
from smollm2_oracle import (SmolLm2, default_model, negative_log_likelihood, predicted, records_of,
                            supervised_example, with_adapter)
from transformers import AutoModelForCausalLM, AutoTokenizer, PrinterCallback
from trl import SFTConfig, SFTTrainer

DTYPES = {"f32": torch.float32, "f64": torch.float64, "bf16": torch.bfloat16}


def say(**line) -> None:
    print(json.dumps(line, ensure_ascii=False), flush=True)


def loaded(options, trainable: bool = False):
    """Model and tokenizer; the weights are dequantised in float32 whatever the arithmetic is."""
    if options.hf:
        model = AutoModelForCausalLM.from_pretrained(options.hf, dtype=DTYPES[options.dtype]).eval()
        tokenizer = AutoTokenizer.from_pretrained(options.hf)
    else:
        source = SmolLm2(options.model)
        model, tokenizer = source.model(DTYPES[options.dtype]), source.tokenizer()
    adapter = getattr(options, "adapter", None) or getattr(options, "init_adapter", None)
    return (with_adapter(model, adapter, trainable) if adapter else model), tokenizer


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
    tokenizer = SmolLm2(options.model).tokenizer()
    for line in sys.stdin:
        record = json.loads(line)
        if "text" in record:
            say(ids=tokenizer(record["text"])["input_ids"])
        else:
            say(ids=tokenizer.apply_chat_template(record["messages"], tokenize=True, return_dict=True)["input_ids"])


def make_adapter(options) -> None:
    """PEFT's own initialisation (B = 0), or with B from a normal distribution of standard deviation 0.02."""
    torch.manual_seed(options.seed)
    model = SmolLm2(options.model).model()
    model.config.name_or_path = model.name_or_path = "SmolLM2-135M-Instruct"
    adapted = get_peft_model(model, LoraConfig(r=options.rank, lora_alpha=options.alpha, lora_dropout=0.0,
                                               target_modules="all-linear", task_type="CAUSAL_LM"))
    if options.random_b:
        with torch.no_grad():
            for name, parameter in adapted.named_parameters():
                if "lora_B" in name:
                    parameter.normal_(std=0.02)
    adapted.save_pretrained(options.output, save_embedding_layers=False)


def sft(options) -> None:
    """AdamW without weight decay at a constant rate; batch = consecutive records, divided by its supervised tokens."""
    model, tokenizer = loaded(options, trainable=True)
    model.train()
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=options.lr, weight_decay=0.0)
    examples = [supervised_example(r, tokenizer, options.max_length) for r in records_of(options.data)]
    metrics = open(options.metrics, "w", encoding="utf-8") if options.metrics else None
    for step in range(options.steps):
        batch = [examples[(step * options.batch + i) % len(examples)] for i in range(options.batch)]
        supervised = sum(label != -100 for example in batch for label in example["labels"][1:])
        optimizer.zero_grad()
        loss = 0.0
        for example in batch:
            total = negative_log_likelihood(*predicted(model, example))
            (total / supervised).backward()
            loss += total.item()
        norm = torch.nn.utils.clip_grad_norm_(parameters, options.clip).item()
        optimizer.step()
        line = dict(step=step + 1, loss=loss / supervised, grad_norm=norm, supervised_tokens=supervised)
        say(**line)
        if metrics:
            metrics.write(json.dumps(line) + "\n")
            metrics.flush()
    model.save_pretrained(options.output, save_embedding_layers=False)


def trl_sft(options) -> None:
    """The same run by TRL's own SFTTrainer, from data preparation to optimizer: it bears out `sft`."""
    model, tokenizer = loaded(options, trainable=True)
    arguments = SFTConfig(output_dir=str(options.output / "trainer"), use_cpu=True, bf16=False, report_to="none",
                          gradient_checkpointing=False, train_sampling_strategy="sequential", shuffle_dataset=False,
                          per_device_train_batch_size=options.batch, max_steps=options.steps, save_strategy="no",
                          learning_rate=options.lr, lr_scheduler_type="constant", optim="adamw_torch",
                          weight_decay=0.0, max_grad_norm=options.clip, logging_steps=1, disable_tqdm=True,
                          max_length=options.max_length)
    trainer = SFTTrainer(model=model, args=arguments, processing_class=tokenizer,
                         train_dataset=Dataset.from_list(records_of(options.data)))
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    for entry in trainer.state.log_history:
        if "loss" in entry:
            say(step=entry["step"], loss=entry["loss"], grad_norm=entry["grad_norm"])
    trainer.model.save_pretrained(options.output, save_embedding_layers=False)


def distance(a: torch.Tensor, b: torch.Tensor) -> float:
    return ((a.double() - b.double()).norm() / b.double().norm().clamp(min=1e-300)).item()


def compare_adapters(options) -> None:
    """|A - B| / |B|: the worst tensor, all A factors, all B factors, everything; with --init also of what was learnt."""
    first, second = (load_file(folder / "adapter_model.safetensors") for folder in (options.a, options.b))
    only = sorted(set(first) ^ set(second))
    assert not only, f"names in one adapter only: {only}"
    configs = [json.loads((folder / "adapter_config.json").read_text()) for folder in (options.a, options.b)]
    differing = {k: [c.get(k) for c in configs] for k in ("peft_type", "r", "lora_alpha", "use_rslora", "use_dora", "bias",
                 "rank_pattern", "alpha_pattern", "fan_in_fan_out", "modules_to_save") if (configs[0].get(k) or None) != (configs[1].get(k) or None)}

    def figures(x, y):
        def joined(tensors, part):
            return torch.cat([t.double().flatten() for name, t in sorted(tensors.items()) if part in name])

        worst = max(x, key=lambda name: distance(x[name], y[name]))
        parts = {key: distance(joined(x, part), joined(y, part)) for key, part in
                 (("lora_A", ".lora_A."), ("lora_B", ".lora_B."), ("all", ""))}
        return dict(worst_tensor=worst, worst=distance(x[worst], y[worst]), **parts)

    result = dict(tensors=len(first), differing_settings=differing, weights=figures(first, second))
    if options.init:
        start = load_file(options.init / "adapter_model.safetensors")
        result["updates"] = figures({k: first[k] - start[k] for k in first}, {k: second[k] - start[k] for k in second})
    say(**result)


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


def parsed(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=default_model(), help="the GGUF file")
    parser.add_argument("--hf", help="an HF directory in place of the GGUF file")
    parser.add_argument("--dtype", choices=DTYPES, default="f32")
    parser.add_argument("--threads", type=int, default=1)
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
    for name, run in (("sft", sft), ("trl-sft", trl_sft)):
        sub = command(name, run)
        sub.add_argument("--data", type=Path, required=True)
        sub.add_argument("--init-adapter", type=Path, required=True)
        sub.add_argument("--output", type=Path, required=True)
        sub.add_argument("--metrics", type=Path)
        sub.add_argument("--steps", type=int, default=20)
        sub.add_argument("--batch", type=int, default=4)
        sub.add_argument("--lr", type=float, default=2e-4)
        sub.add_argument("--clip", type=float, default=1.0)
        sub.add_argument("--max-length", type=int)
    sub = command("compare-adapters", compare_adapters, "a", "b")
    sub.add_argument("--init", type=Path)
    command("export-hf", export_hf, "output")
    sub = command("check-hf", check_hf, "directory")
    sub.add_argument("--adapter", type=Path)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    options = parsed()
    torch.set_num_threads(options.threads)
    options.run(options)
