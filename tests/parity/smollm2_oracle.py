# SPDX-License-Identifier: Apache-2.0
"""The real SmolLM2-135M-Instruct as transformers sees it: GGUF weights dequantised by the gguf package, ids by tokenizers.

transformers' own GGUF loader is not used: it loses the digit split of the `smollm` pre-tokenizer.
"""

import gzip
import json
import os
from pathlib import Path

import gguf
import numpy
import torch
from peft import PeftModel, get_peft_model_state_dict
from safetensors import safe_open
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from trl.data_utils import _tokenize, common_prefix_length, is_conversational

CONTROL, USER_DEFINED = 3, 4
PACKAGE_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"


def default_model() -> Path:
    cache = Path(os.environ.get("GRAFT_CACHE", Path.home() / ".cache" / "graft"))
    return Path(os.environ.get("GRAFT_SMOLLM2", cache / PACKAGE_FILE))


class SmolLm2:
    def __init__(self, path: Path):
        reader = gguf.GGUFReader(str(path))
        self.fields = {name: field.contents() for name, field in reader.fields.items()}
        self.tensors = reader.tensors
        assert self.fields["general.architecture"] == "llama", self.fields["general.architecture"]

    def config(self) -> LlamaConfig:
        field = self.fields
        heads = field["llama.attention.head_count"]
        names = {tensor.name for tensor in self.tensors}
        return LlamaConfig(
            vocab_size=field["llama.vocab_size"], hidden_size=field["llama.embedding_length"],
            intermediate_size=field["llama.feed_forward_length"], num_hidden_layers=field["llama.block_count"],
            num_attention_heads=heads, num_key_value_heads=field["llama.attention.head_count_kv"],
            head_dim=field["llama.rope.dimension_count"], max_position_embeddings=field["llama.context_length"],
            rms_norm_eps=field["llama.attention.layer_norm_rms_epsilon"], rope_theta=field["llama.rope.freq_base"],
            tie_word_embeddings="output.weight" not in names, bos_token_id=field["tokenizer.ggml.bos_token_id"],
            eos_token_id=field["tokenizer.ggml.eos_token_id"], pad_token_id=field["tokenizer.ggml.padding_token_id"],
        )

    def model(self, dtype=torch.float32) -> LlamaForCausalLM:
        config = self.config()
        model = LlamaForCausalLM(config).to(dtype).eval()
        state = {}
        for tensor in self.tensors:
            values = gguf.dequantize(tensor.data, tensor.tensor_type).astype(numpy.float32)
            state[weight_name(tensor.name)] = torch.from_numpy(unpermuted(tensor.name, values, config))
        missing, unexpected = model.load_state_dict(state, strict=False)
        assert not unexpected and set(missing) <= {"lm_head.weight"}, (missing, unexpected)
        assert not missing or config.tie_word_embeddings
        model.tie_weights()
        return model

    def tokenizer(self) -> PreTrainedTokenizerFast:
        field = self.fields
        assert (field["tokenizer.ggml.model"], field["tokenizer.ggml.pre"]) == ("gpt2", "smollm")
        tokens = field["tokenizer.ggml.tokens"]
        bpe = Tokenizer(models.BPE(vocab={token: i for i, token in enumerate(tokens)},
                                   merges=[split_merge(merge) for merge in field["tokenizer.ggml.merges"]]))
        bpe.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Digits(individual_digits=True),
             pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)])
        bpe.decoder = decoders.ByteLevel()
        types = field["tokenizer.ggml.token_type"]
        bpe.add_special_tokens([AddedToken(t, special=True, normalized=False) for t, kind in zip(tokens, types) if kind == CONTROL])
        bpe.add_tokens([AddedToken(t, special=False, normalized=False) for t, kind in zip(tokens, types) if kind == USER_DEFINED])

        def token(name):
            return tokens[field[f"tokenizer.ggml.{name}_token_id"]]

        tokenizer = PreTrainedTokenizerFast(tokenizer_object=bpe, bos_token=token("bos"), eos_token=token("eos"),
                                            unk_token=token("unknown"), pad_token=token("padding"),
                                            clean_up_tokenization_spaces=False)
        tokenizer.chat_template = field["tokenizer.chat_template"]
        return tokenizer


def split_merge(merge: str) -> tuple[str, str]:
    at = merge.index(" ", 1)
    return merge[:at], merge[at + 1:]


def weight_name(name: str) -> str:
    top = {"token_embd.weight": "model.embed_tokens.weight", "output_norm.weight": "model.norm.weight",
           "output.weight": "lm_head.weight"}
    inner = {"attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm", "attn_q": "self_attn.q_proj",
             "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj",
             "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj"}
    if name in top:
        return top[name]
    _, layer, part, suffix = name.split(".")
    return f"model.layers.{layer}.{inner[part]}.{suffix}"


def unpermuted(name: str, values: numpy.ndarray, config: LlamaConfig) -> numpy.ndarray:
    """GGUF stores a head's rows as (0, d/2, 1, d/2 + 1, ...); transformers wants (0, 1, ..., d - 1)."""
    heads = {"attn_q": config.num_attention_heads, "attn_k": config.num_key_value_heads}.get(name.split(".")[-2])
    if heads is None:
        return values
    rows, columns = values.shape
    return numpy.ascontiguousarray(values.reshape(heads, rows // heads // 2, 2, columns).swapaxes(1, 2).reshape(rows, columns))


def with_adapter(model, folder: Path, trainable: bool = False) -> PeftModel:
    """PEFT loads with strict=False; here a key that matches nothing, or a missing one, is an error."""
    adapted = PeftModel.from_pretrained(model, str(folder), is_trainable=trainable)
    with safe_open(str(Path(folder) / "adapter_model.safetensors"), "pt") as file:
        in_file = set(file.keys())
    in_model = set(get_peft_model_state_dict(adapted, save_embedding_layers=False))
    assert in_file == in_model, f"only in the file: {sorted(in_file - in_model)}, only in the model: {sorted(in_model - in_file)}"
    return adapted


def records_of(path: Path, limit: int | None = None) -> list[dict]:
    opener = gzip.open if str(path).endswith(".gz") else open
    with opener(path, "rt", encoding="utf-8") as file:
        lines = [line for line in file if line.strip()]
    return [json.loads(line) for line in (lines if limit is None else lines[:limit])]


def supervised_example(record: dict, tokenizer, max_length: int | None = None) -> dict:
    """Ids and labels as trl 1.16's SFTTrainer._prepare_dataset makes them (completion-only for prompt + completion)."""
    if "prompt" in record:
        if is_conversational(record):
            prompt = _tokenize(tokenizer, record["prompt"], add_generation_prompt=True)["input_ids"]
            ids = _tokenize(tokenizer, record["prompt"] + record["completion"])["input_ids"]
        else:
            completion = record["completion"]
            completion += "" if completion.endswith(tokenizer.eos_token) else tokenizer.eos_token
            prompt = _tokenize(tokenizer, record["prompt"])["input_ids"]
            ids = _tokenize(tokenizer, record["prompt"] + completion)["input_ids"]
        start = common_prefix_length(prompt, ids)
    else:
        start = 0
        if "messages" in record:
            ids = _tokenize(tokenizer, record["messages"])["input_ids"]
        else:
            text = record["text"]
            ids = _tokenize(tokenizer, text if text.endswith(tokenizer.eos_token) else text + tokenizer.eos_token)["input_ids"]
    labels = [-100] * start + ids[start:]
    return {"input_ids": ids[:max_length], "labels": labels[:max_length]}


def predicted(model, example: dict) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits and targets of the supervised tokens; a label at position 0 has nothing that predicts it."""
    logits = model(input_ids=torch.tensor([example["input_ids"]]), use_cache=False).logits[0, :-1]
    targets = torch.tensor(example["labels"][1:])
    return logits[targets != -100], targets[targets != -100]


def negative_log_likelihood(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """The sum, in the arithmetic of the logits.

    In float32 torch loses the smallest of the 49152 exponentials: the sum comes out about 1e-5 too low.
    """
    return torch.nn.functional.cross_entropy(logits, targets, reduction="sum")
