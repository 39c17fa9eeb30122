# SPDX-License-Identifier: Apache-2.0
"""The real Gemma 3 270M as a Hugging Face directory in float32: weights dequantised by the gguf package, ids by tokenizers.

    python tests/parity/real_gemma3.py GEMMA.gguf DIR      (scripts/get_model.sh gemma3-270m --accept-gemma-terms)
    python tests/parity/real_smollm2.py --hf DIR nll --data records.jsonl      and the other commands there
    python tests/parity/real_sft.py --hf DIR sft ...
"""

import sys

import fixture_files  # noqa: F401  (sets one thread and keeps the hub out)
import gguf
import numpy
import torch
from transformers import Gemma3ForCausalLM, Gemma3TextConfig, PreTrainedTokenizerFast

from tokenizer_corpus import gguf_fields, gguf_oracle

PARTS = {"attn_norm": "input_layernorm", "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
         "attn_output": "self_attn.o_proj", "attn_q_norm": "self_attn.q_norm", "attn_k_norm": "self_attn.k_norm",
         "post_attention_norm": "post_attention_layernorm", "ffn_norm": "pre_feedforward_layernorm", "ffn_gate": "mlp.gate_proj",
         "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj", "post_ffw_norm": "post_feedforward_layernorm"}
TOP = {"token_embd.weight": "model.embed_tokens.weight", "output_norm.weight": "model.norm.weight"}


def weight_name(name: str) -> str:
    if name in TOP:
        return TOP[name]
    _, layer, part, suffix = name.split(".")
    return f"model.layers.{layer}.{PARTS[part]}.{suffix}"


def model_of(reader: gguf.GGUFReader) -> Gemma3ForCausalLM:
    field = {name: value.contents() for name, value in reader.fields.items()}
    key = lambda name: field[f"gemma3.{name}"]  # noqa: E731
    layers, vocabulary = key("block_count"), len(field["tokenizer.ggml.tokens"])
    config = Gemma3TextConfig(
        vocab_size=vocabulary, hidden_size=key("embedding_length"), intermediate_size=key("feed_forward_length"), num_hidden_layers=layers,
        num_attention_heads=key("attention.head_count"), num_key_value_heads=key("attention.head_count_kv"),
        head_dim=key("attention.key_length"), query_pre_attn_scalar=key("attention.key_length"), rms_norm_eps=1e-6,
        sliding_window=key("attention.sliding_window"), max_position_embeddings=key("context_length"), tie_word_embeddings=True,
        layer_types=["sliding_attention" if (i + 1) % 6 else "full_attention" for i in range(layers)],
        bos_token_id=field["tokenizer.ggml.bos_token_id"], eos_token_id=field["tokenizer.ggml.eos_token_id"],
        pad_token_id=field["tokenizer.ggml.padding_token_id"], attn_implementation="eager")
    assert config.rope_parameters["full_attention"]["rope_theta"] == field.get("gemma3.rope.freq_base", 1e6)
    model = Gemma3ForCausalLM(config).eval()
    state = {}
    for tensor in reader.tensors:
        values = gguf.dequantize(tensor.data, tensor.tensor_type).astype(numpy.float32)
        # Norms are stored as 1 + w.
        state[weight_name(tensor.name)] = torch.from_numpy(values - numpy.float32(1) if tensor.name.endswith("norm.weight") else values)
    missing, unexpected = model.load_state_dict(state, strict=False)
    assert not unexpected and set(missing) <= {"lm_head.weight"}, (missing, unexpected)
    model.tie_weights()
    return model


def main(path: str, folder: str) -> None:
    model_of(gguf.GGUFReader(path)).save_pretrained(folder)
    fields = gguf_fields(path)
    tokens = fields["tokenizer.ggml.tokens"]
    names = {"bos": "bos", "eos": "eos", "pad": "padding", "unk": "unknown"}
    PreTrainedTokenizerFast(tokenizer_object=gguf_oracle(fields), clean_up_tokenization_spaces=False,
                            **{f"{short}_token": tokens[fields[f"tokenizer.ggml.{long}_token_id"]] for short, long in names.items()}
                            ).save_pretrained(folder)


if __name__ == "__main__":
    main(*sys.argv[1:])
