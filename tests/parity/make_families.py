# SPDX-License-Identifier: Apache-2.0
"""Tiny random models of the other families with what transformers and PEFT compute with them, in float64.

    python tests/parity/make_families.py      rewrites tests/fixtures/{qwen2,qwen3,mistral,gemma3,gpt2,smollm3}_tiny

The folders hold what make_llama.py writes: the model, a forward pass, every gradient, the course of training, an adapter.
"""

import shutil

from peft import LoraConfig
from transformers import (Gemma3ForCausalLM, Gemma3TextConfig, GPT2Config, GPT2LMHeadModel, MistralConfig, MistralForCausalLM,
                          Qwen2Config, Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM, SmolLM3Config, SmolLM3ForCausalLM)
from transformers.models.gemma3 import modeling_gemma3
from transformers.models.gpt2 import modeling_gpt2
from transformers.models.mistral import modeling_mistral
from transformers.models.qwen2 import modeling_qwen2
from transformers.models.qwen3 import modeling_qwen3
from transformers.models.smollm3 import modeling_smollm3

import tiny_llama
from fixture_files import FIXTURES, write_json
from float64 import float64
from make_llama import adapter_fixture, full_fine_tuning

COMMON = dict(vocab_size=tiny_llama.VOCAB_SIZE, hidden_size=24, intermediate_size=32, num_hidden_layers=2, num_attention_heads=4,
              num_key_value_heads=2, max_position_embeddings=128, bos_token_id=1, eos_token_id=2, pad_token_id=0,
              attn_implementation="eager")
# name: (model, its module, config, mean of the norms' gains)
FAMILIES = {
    "qwen2_tiny": (Qwen2ForCausalLM, modeling_qwen2, Qwen2Config(**COMMON, tie_word_embeddings=True), 1.0),
    "qwen3_tiny": (Qwen3ForCausalLM, modeling_qwen3, Qwen3Config(**COMMON, head_dim=8, tie_word_embeddings=False), 1.0),
    "mistral_tiny": (MistralForCausalLM, modeling_mistral, MistralConfig(**COMMON, head_dim=6, sliding_window=4,
                                                                         tie_word_embeddings=False), 1.0),
    "gemma3_tiny": (Gemma3ForCausalLM, modeling_gemma3,
                    Gemma3TextConfig(**{**COMMON, "num_hidden_layers": 3}, head_dim=8, sliding_window=4, query_pre_attn_scalar=12,
                                     layer_types=["sliding_attention", "full_attention", "sliding_attention"],
                                     tie_word_embeddings=True), 0.0),
    "gpt2_tiny": (GPT2LMHeadModel, modeling_gpt2,
                  GPT2Config(vocab_size=tiny_llama.VOCAB_SIZE, n_embd=24, n_inner=32, n_layer=2, n_head=4, n_positions=32,
                             bos_token_id=1, eos_token_id=2, pad_token_id=0, attn_implementation="eager"), 1.0),
    "smollm3_tiny": (SmolLM3ForCausalLM, modeling_smollm3,
                     SmolLM3Config(**{**COMMON, "num_hidden_layers": 3}, no_rope_layers=[1, 0, 1], tie_word_embeddings=True), 1.0),
}


def main() -> None:
    for number, (name, (model_class, module, config, mean_gain)) in enumerate(FAMILIES.items()):
        folder = FIXTURES / name
        shutil.rmtree(folder, ignore_errors=True)
        single = tiny_llama.random_model(config, 400 + number, model_class, mean_gain)
        single.config.name_or_path = name
        single.save_pretrained(folder)
        data = tiny_llama.sequences(seed=500 + number)
        write_json(folder / "sequences.json", {"sequences": data, "forward_batch": tiny_llama.FORWARD_BATCH,
                                               "training_batches": tiny_llama.TRAINING_BATCHES}, __file__)
        with float64(module):
            base = tiny_llama.in_float64(single)
            base.config.name_or_path = base.name_or_path = name
            # Gemma's gain is 1 + w and torch decays w; graft decays gains or, as Trainer and by default, spares them.
            full_fine_tuning(folder, base, data, **({"decay_vectors": False} if mean_gain == 0 else {}))
            lora = LoraConfig(r=4, lora_alpha=8, lora_dropout=0.0, task_type="CAUSAL_LM", target_modules="all-linear")
            adapter_fixture(folder / "adapters" / "lora_all_linear", base, lora, 600 + number, data)
        print(f"{folder}: {sum(f.stat().st_size for f in folder.rglob('*') if f.is_file())} bytes")


if __name__ == "__main__":
    main()
