# SPDX-License-Identifier: Apache-2.0
"""The tiny random Llama of the fixtures, its sequences, and one forward and backward pass over packed sequences."""

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from float64 import float64

VOCAB_SIZE = 96


def config(**overrides) -> LlamaConfig:
    settings = dict(
        vocab_size=VOCAB_SIZE, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, head_dim=8, max_position_embeddings=128, rms_norm_eps=1e-5, rope_theta=10000.0,
        tie_word_embeddings=True, bos_token_id=1, eos_token_id=2, pad_token_id=0, attn_implementation="eager",
    )
    return LlamaConfig(**{**settings, **overrides})


def random_model(model_config, seed: int, model_class=LlamaForCausalLM, mean_gain: float = 1.0):
    """Weights large enough that attention, gate and logits are far from uniform."""
    generator = torch.Generator().manual_seed(seed)
    model = model_class(model_config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if "norm" in name or (".ln_" in name and name.endswith("weight")):
                parameter.copy_(mean_gain + 0.2 * noise)
            elif name.endswith("bias"):
                parameter.copy_(0.3 * noise)
            elif any(part in name for part in ("embed_tokens", "lm_head", ".wte.", ".wpe.")):
                parameter.copy_(0.5 * noise)
            else:  # Conv1D weights are (in, out)
                parameter.copy_(1.2 * noise / parameter.shape[0 if model_config.model_type == "gpt2" else 1] ** 0.5)
    return model.eval()


def in_float64(model):
    """The same weights in a model that is built anew, so that its rotary tables are of doubles too. Call in float64()."""
    double = type(model)(model.config).double().eval()
    double.load_state_dict(model.state_dict())
    tables = [table for name, table in double.named_buffers() if name.endswith("inv_freq")]
    assert (tables or model.config.model_type == "gpt2") and all(table.dtype == torch.float64 for table in tables)
    return double


def sequences(seed: int) -> list[dict]:
    """Eight sequences: masked prompts, one hole in the middle, one of two tokens, one that is supervised throughout."""
    generator = torch.Generator().manual_seed(seed)
    lengths, prompts = [7, 12, 5, 9, 2, 14, 6, 10], [3, 4, 0, 5, 1, 6, 2, 7]
    result = []
    for length, prompt in zip(lengths, prompts, strict=True):
        ids = torch.randint(3, VOCAB_SIZE, (length,), generator=generator).tolist()
        result.append({"input_ids": ids, "labels": [-100] * prompt + ids[prompt:]})
    result[1]["labels"][7] = result[1]["labels"][8] = -100
    return result


FORWARD_BATCH = [0, 1, 2]
TRAINING_BATCHES = [[0, 1], [2, 3], [4, 5], [6, 7]]


def targets_of(sequence: dict) -> list[int]:
    """The token that each position predicts: the next label, -100 where there is none."""
    return sequence["labels"][1:] + [-100]


def supervised(batch: list[dict]) -> int:
    return sum(target != -100 for sequence in batch for target in targets_of(sequence))


def loss_of(model, batch: list[dict]) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Sum of the negative log-likelihoods over the number of supervised tokens of the batch; each sequence runs alone."""
    total, logits = 0.0, []
    for sequence in batch:
        rows = model(input_ids=torch.tensor([sequence["input_ids"]]), use_cache=False).logits[0]
        total = total + torch.nn.functional.cross_entropy(
            rows, torch.tensor(targets_of(sequence)), ignore_index=-100, reduction="sum")
        logits.append(rows)
    return total / supervised(batch), logits


def forward_tensors(model, batch: list[dict]) -> dict[str, torch.Tensor]:
    """What a packed forward pass has to give, row by row. The caller runs backward through `loss`."""
    loss, rows = loss_of(model, batch)
    logits = torch.cat(rows)
    targets = torch.tensor([target for sequence in batch for target in targets_of(sequence)])
    logprobs = torch.log_softmax(logits, dim=-1)
    picked = logprobs.gather(1, targets.clamp(min=0)[:, None])[:, 0]
    lengths = [len(sequence["input_ids"]) for sequence in batch]
    return {
        "input_ids": torch.tensor([token for sequence in batch for token in sequence["input_ids"]]),
        "labels": torch.tensor([label for sequence in batch for label in sequence["labels"]]),
        "targets": targets,
        "positions": torch.cat([torch.arange(length) for length in lengths]),
        "cu_seqlens": torch.tensor([0] + lengths).cumsum(0),
        "logits": logits,
        "target_logprobs": torch.where(targets == -100, 0.0, picked),
        "logsumexp": torch.logsumexp(logits, dim=-1),
        "mean_logit": logits.mean(dim=-1),
        "entropy": -(logprobs.exp() * logprobs).sum(dim=-1),
        "loss": loss,
    }


__all__ = ["config", "float64", "forward_tensors", "in_float64", "loss_of", "random_model", "sequences", "supervised"]
