# SPDX-License-Identifier: Apache-2.0
"""LoRA SFT of a real model by torch, PEFT and TRL, to set beside `graft sft --metrics`; and how far two runs are apart.

    python tests/parity/real_sft.py [--hf DIR] sft --data records.jsonl --init-adapter DIR --output DIR --metrics FILE
    ... sft --bf16 autocast      products in bf16, weights in f32, as `graft sft --precision bf16`
    ... sft --bf16 autocast-f32-sum   the same, but the adapter's output is added to the base's in f32
    ... sft --bf16 model         the frozen weights and what runs through them in bf16, the adapter in f32
    ... trl-sft ...              the same run by TRL's SFTTrainer
    ... compare-adapters A B [--init DIR]
    ... compare-metrics A B      largest relative difference of loss and gradient norm of two files of metrics
"""

import json
from contextlib import nullcontext
from pathlib import Path

import torch
from datasets import Dataset
from real_model import DTYPES, distance, loaded, parser_of, run, say
from safetensors.torch import load_file
from smollm2_oracle import negative_log_likelihood, predicted, records_of, supervised_example
from transformers import PrinterCallback
from trl import SFTConfig, SFTTrainer


def add_adapters_in_f32(model) -> None:
    """Autocast adds them in bf16, where an update of less than half a unit in the last place of the base's output is lost."""
    for module in model.modules():
        if hasattr(module, "base_layer"):
            forward = module.base_layer.forward
            module.base_layer.forward = lambda x, forward=forward: forward(x).float()


def sft(options) -> None:
    """AdamW without weight decay at a constant rate; batch = consecutive records, divided by its supervised tokens."""
    if options.bf16 == "model":
        options.dtype = "bf16"
    model, tokenizer = loaded(options, trainable=True)
    model.train()
    if options.bf16 == "autocast-f32-sum":
        add_adapters_in_f32(model)
    arithmetic = torch.autocast("cpu", torch.bfloat16) if (options.bf16 or "").startswith("autocast") else nullcontext()
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
            with arithmetic:
                logits, targets = predicted(model, example)
            total = negative_log_likelihood(logits.to(DTYPES[options.loss_dtype]), targets)
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


def compare_metrics(options) -> None:
    """Relative to B; `mean_loss` compares the means over the steps, in which noise of either sign cancels."""
    first, second = ([json.loads(line) for line in file.read_text().splitlines()] for file in (options.a, options.b))
    first, second = ([line for line in lines if "grad_norm" in line] for lines in (first, second))
    assert [line["step"] for line in first] == [line["step"] for line in second], "the runs have other steps"

    def largest(key):
        return max(abs(x[key] - y[key]) / abs(y[key]) for x, y in zip(first, second))

    means = [sum(line["loss"] for line in lines) / len(lines) for lines in (first, second)]
    say(steps=len(first), loss=largest("loss"), grad_norm=largest("grad_norm"), mean_loss=abs(means[0] - means[1]) / means[1])


def parser():
    parser = parser_of(__doc__)
    commands = parser.add_subparsers(required=True)
    for name, function in (("sft", sft), ("trl-sft", trl_sft)):
        sub = commands.add_parser(name)
        sub.set_defaults(run=function)
        sub.add_argument("--data", type=Path, required=True)
        sub.add_argument("--init-adapter", type=Path, required=True)
        sub.add_argument("--output", type=Path, required=True)
        sub.add_argument("--metrics", type=Path)
        sub.add_argument("--steps", type=int, default=20)
        sub.add_argument("--batch", type=int, default=4)
        sub.add_argument("--lr", type=float, default=2e-4)
        sub.add_argument("--clip", type=float, default=1.0)
        sub.add_argument("--max-length", type=int)
        if function is sft:
            sub.add_argument("--bf16", choices=("autocast", "autocast-f32-sum", "model"))
            sub.add_argument("--loss-dtype", choices=DTYPES, default="f32", help="of the cross entropy, whatever the logits have")
    for name, function in (("compare-adapters", compare_adapters), ("compare-metrics", compare_metrics)):
        sub = commands.add_parser(name)
        sub.set_defaults(run=function)
        sub.add_argument("a", type=Path)
        sub.add_argument("b", type=Path)
        if function is compare_adapters:
            sub.add_argument("--init", type=Path)
    return parser


if __name__ == "__main__":
    run(parser())
