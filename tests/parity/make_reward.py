# SPDX-License-Identifier: Apache-2.0
"""Reward losses and reward data: values, gradients and token ids, from TRL's RewardTrainer.

    python tests/parity/make_reward.py      rewrites tests/fixtures/reward

`losses.json`: `pairs` come from RewardTrainer.compute_loss itself, in float64, with a model whose logits are free numbers;
`rankings` are written out here in torch, as TRL has no loss for more than two answers: the mean over a ranking's pairs
(InstructGPT, arXiv 2203.02155, equation 1) and Plackett-Luce.
`data.json`: the pairs of token ids that RewardTrainer._prepare_dataset keeps of the records in `*.jsonl`. The tokenizers are
those of ../sft.
`model/`: a LoRA adapter with a score head for ../llama_tiny, as PEFT saves it for the task SEQ_CLS, and in float64 what
transformers' LlamaForSequenceClassification says with it: rewards, RewardTrainer's loss and every gradient; and the course
of 10 steps of AdamW.
"""

import itertools
import json
import shutil
from collections import defaultdict
from types import SimpleNamespace

from fixture_files import FIXTURES, write_json
from datasets import Dataset, disable_progress_bars
from peft import LoraConfig
from transformers import LlamaForSequenceClassification, PreTrainedTokenizerFast
import torch
from trl import RewardTrainer

import tiny_llama
from fixture_files import write_tensors
from float64 import float64
from make_llama import ADAMW, adapted_model, gradient_norm, optimizer_of, save_as_peft_does, saved_names
from make_sft_data import message, tokenizer, turns


def trl_loss(rewards: torch.Tensor, margins: torch.Tensor | None, coefficient: float | None) -> tuple[torch.Tensor, dict]:
    """RewardTrainer.compute_loss for a model whose answer is `rewards` (chosen, then rejected)."""
    same = SimpleNamespace(gather=lambda x: x, gather_for_metrics=lambda x: x)
    trainer = SimpleNamespace(model=SimpleNamespace(training=True), accelerator=same, _total_train_tokens=0, _tp_size=1,
                              args=SimpleNamespace(center_rewards_coefficient=coefficient),
                              _metrics={"train": defaultdict(list)})
    inputs = {"attention_mask": torch.ones(1)}
    if margins is not None:
        inputs["margin"] = margins
    model = lambda **_: SimpleNamespace(logits=rewards[:, None])
    loss = RewardTrainer.compute_loss(trainer, model, inputs)
    return loss, {key: values[0] for key, values in trainer._metrics["train"].items() if key != "num_tokens"}


def pair_cases(generator: torch.Generator) -> list[dict]:
    cases = []
    for margin, coefficient in itertools.product((False, True), (None, 0.01, 0.3)):
        rewards = 3 * torch.randn(10, generator=generator, dtype=torch.float64)
        rewards[0], rewards[5] = 40.0, -35.0  # where exp would lose everything
        rewards[1], rewards[6] = -30.0, 45.0
        margins = torch.rand(5, generator=generator, dtype=torch.float32) * 2 if margin else None
        free = rewards.clone().requires_grad_()
        loss, metrics = trl_loss(free, margins.double() if margin else None, coefficient)
        loss.backward()
        cases.append({"chosen": rewards[:5].tolist(), "rejected": rewards[5:].tolist(), "margins": margins.tolist() if margin else None,
                      "center_rewards_coefficient": coefficient or 0.0, "loss": loss.item(), "metrics": metrics,
                      "chosen_gradient": free.grad[:5].tolist(), "rejected_gradient": free.grad[5:].tolist()})
    return cases


def ranking_cases(generator: torch.Generator) -> list[dict]:
    """Groups of 2 to 9 answers, each from best to worst."""
    sizes = [2, 4, 9, 5]
    cases = []
    for name in ("all_pairs", "plackett_luce"):
        rewards = 2 * torch.randn(sum(sizes), generator=generator, dtype=torch.float64)
        free = rewards.clone().requires_grad_()
        losses = []
        for group in free.split(sizes):
            if name == "all_pairs":
                pairs = [(i, j) for i in range(len(group)) for j in range(i + 1, len(group))]
                losses.append(-torch.stack([torch.nn.functional.logsigmoid(group[i] - group[j]) for i, j in pairs]).mean())
            else:
                losses.append(-sum(group[k] - group[k:].logsumexp(0) for k in range(len(group))))
        loss = torch.stack(losses).mean()
        loss.backward()
        cases.append({"name": name, "sizes": sizes, "rewards": rewards.tolist(), "loss": loss.item(), "gradient": free.grad.tolist()})
    return cases


def answer(text: str) -> list[dict]:
    return [message("assistant", text)]


FILES = {
    "chat": [
        {"prompt": turns("What is the capital of France?"), "chosen": answer("Paris."), "rejected": answer("London, I think."),
         "margin": 0.5, "source": "geography"},
        {"prompt": turns("Hi", "Hello!", "How many clips?"), "chosen": answer("1234567."), "rejected": answer(""), "margin": 1.5,
         "source": "clips"},
        {"prompt": [message("system", "Answer in one word."), *turns("Is it?")], "chosen": answer("Yes."), "rejected": answer("No. " * 30),
         "margin": 0.0, "source": "clips"},
        {"prompt": turns("日本語 🙂 <|im_end|>"), "chosen": answer("🏳️‍🌈 señor"), "rejected": answer("\n\nHi"), "margin": 2.0,
         "source": "geography"},
    ],
    "chat_implicit": [
        {"chosen": turns("What is the capital of France?", "Paris."), "rejected": turns("What is the capital of France?", "London.")},
        {"chosen": turns("a", "b", "c", "d"), "rejected": turns("a", "x", "c", "y")},
    ],
    "text": [
        {"prompt": "The answer is ", "chosen": "yes.", "rejected": "no.<|im_end|>"},
        {"prompt": "2+2=", "chosen": "4", "rejected": "5, or " * 12},
        {"prompt": "", "chosen": "nothing before it", "rejected": "日本語 🙂"},
    ],
    "text_implicit": [
        {"chosen": "\n\nHuman: Hi\n\nAssistant: Hello!", "rejected": "\n\nHuman: Hi\n\nAssistant: Go away."},
        {"chosen": "ends itself<|im_end|>", "rejected": "<|im_end|> and goes on"},
    ],
}
SETS = [("chat", "tokenizer", None), ("chat", "tokenizer", 80), ("chat_implicit", "tokenizer", None), ("text", "tokenizer", None),
        ("text", "tokenizer", 24), ("text", "tokenizer_bos", None), ("text_implicit", "tokenizer", None),
        ("text_implicit", "tokenizer_bos", None)]


def rows(records: list[dict], tokens: PreTrainedTokenizerFast, max_length: int | None) -> list[dict]:
    arguments = SimpleNamespace(max_length=max_length, dataset_num_proc=None)
    data = Dataset.from_list([{**record, "record": i} for i, record in enumerate(records)])
    kept = RewardTrainer._prepare_dataset(None, data, tokens, arguments, "train")
    return [{key: row[key] for key in ("record", "chosen_ids", "rejected_ids")} for row in kept]


def model_fixture(folder) -> None:
    torch.manual_seed(701)  # of the score head, which the files of the base do not have
    single = LlamaForSequenceClassification.from_pretrained(FIXTURES / "llama_tiny", num_labels=1, attn_implementation="eager")
    single.config.pad_token_id = 0  # in none of the sequences, so that the last token is read
    single.config.name_or_path = "llama_tiny"
    data = tiny_llama.sequences(seed=200)
    batches = [[0, 1, 2, 3], [4, 5, 6, 7]]  # chosen, rejected, chosen, rejected
    margins = [0.0, 0.75]
    with float64():
        base = tiny_llama.in_float64(single.eval())
        base.config.name_or_path = base.name_or_path = "llama_tiny"
        lora = LoraConfig(r=4, lora_alpha=8, lora_dropout=0.0, target_modules="all-linear", exclude_modules="score",
                          modules_to_save=["score"], task_type="SEQ_CLS")
        model = adapted_model(base, lora, 800)
        save_as_peft_does(model, folder)

        def rewards_of(batch: list[int]) -> torch.Tensor:
            return torch.cat([model(input_ids=torch.tensor([data[i]["input_ids"]]), use_cache=False).logits[0] for i in batch])

        def loss_of(batch: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
            rewards = rewards_of(batch)
            loss, _ = trl_loss(torch.cat([rewards[0::2], rewards[1::2]]), torch.tensor(margins, dtype=torch.float64), 0.01)
            return loss, rewards

        loss, rewards = loss_of(batches[0])
        loss.backward()
        expected = {"rewards": rewards, "loss": loss, "grad_norm": gradient_norm(model)}
        expected |= {f"grad.{name}": parameter.grad.clone() for name, parameter in saved_names(model).items()}
        settings = {**ADAMW, "steps": 10}
        parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        optimizer = optimizer_of(settings, parameters)
        losses, norms = [], []
        for step in range(settings["steps"]):
            optimizer.zero_grad()
            loss, _ = loss_of(batches[step % 2])
            loss.backward()
            norms.append(torch.nn.utils.clip_grad_norm_(parameters, settings["max_grad_norm"]).item())
            optimizer.step()
            losses.append(loss.item())
        write_tensors(folder / "expected.safetensors", expected, __file__)
        write_json(folder / "training.json", {"batches": batches, "margins": margins, "center_rewards_coefficient": 0.01,
                                              "adamw": {**settings, "losses": losses, "grad_norms": norms}}, __file__)


def main() -> None:
    disable_progress_bars()
    folder = FIXTURES / "reward"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    generator = torch.Generator().manual_seed(700)
    write_json(folder / "losses.json", {"pairs": pair_cases(generator), "rankings": ranking_cases(generator)}, __file__)
    for name, records in FILES.items():
        lines = (json.dumps(record, ensure_ascii=False) + "\n" for record in records)
        (folder / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")
    tokenizers = {name: tokenizer(with_bos=name.endswith("bos")) for name in ("tokenizer", "tokenizer_bos")}
    sets = [{"data": f"{name}.jsonl", "tokenizer": tokens, "max_length": max_length,
             "rows": rows(FILES[name], tokenizers[tokens], max_length)} for name, tokens, max_length in SETS]
    for entry in sets:
        print(entry["data"], entry["tokenizer"], entry["max_length"], [row["record"] for row in entry["rows"]])
    write_json(folder / "data.json", {"sets": sets}, __file__)
    model_fixture(folder / "model")


if __name__ == "__main__":
    main()
