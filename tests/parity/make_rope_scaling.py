# SPDX-License-Identifier: Apache-2.0
"""Rotary scalings of Llama: configs in both dialects (v5 `rope_parameters`, v4 `rope_theta` + `rope_scaling`) and logits.

    python tests/parity/make_rope_scaling.py      rewrites tests/fixtures/llama_rope

The weights are those of tests/fixtures/llama_tiny/model.safetensors; the sequence (48 tokens) is longer than
`original_max_position_embeddings` (16). `inverse_frequencies` has head_dim / 2 entries; cos and sin are multiplied by
`attention_scaling`.
"""

import json
import shutil

import torch
from transformers import LlamaConfig, LlamaForCausalLM

import tiny_llama
from fixture_files import FIXTURES, write_tensors
from float64 import float64

ORIGINAL = 16
SCALINGS = {
    "default": {"rope_type": "default", "rope_theta": 500.0},
    "linear": {"rope_type": "linear", "rope_theta": 10000.0, "factor": 4.0},
    "dynamic": {"rope_type": "dynamic", "rope_theta": 10000.0, "factor": 2.0},
    "llama3": {"rope_type": "llama3", "rope_theta": 500.0, "factor": 8.0, "low_freq_factor": 1.0,
               "high_freq_factor": 4.0, "original_max_position_embeddings": ORIGINAL},
    "yarn": {"rope_type": "yarn", "rope_theta": 10000.0, "factor": 4.0, "original_max_position_embeddings": ORIGINAL},
    "yarn_mscale": {"rope_type": "yarn", "rope_theta": 1000.0, "factor": 8.0, "beta_fast": 16.0, "beta_slow": 2.0,
                    "mscale": 1.0, "mscale_all_dim": 0.5, "original_max_position_embeddings": ORIGINAL},
}


def v4_dialect(config: dict) -> dict:
    """The same config as transformers 4 wrote it."""
    scaling = dict(config["rope_parameters"])
    old = {key: value for key, value in config.items() if key not in ("rope_parameters", "dtype")}
    theta = scaling.pop("rope_theta")
    plain = scaling["rope_type"] == "default"
    if scaling["rope_type"] == "linear":  # the oldest spelling
        scaling["type"] = scaling.pop("rope_type")
    return {**old, "torch_dtype": config["dtype"], "rope_theta": theta, "rope_scaling": None if plain else scaling,
            "transformers_version": "4.57.0"}


def main() -> None:
    folder = FIXTURES / "llama_rope"
    shutil.rmtree(folder, ignore_errors=True)
    ids = torch.randint(3, tiny_llama.VOCAB_SIZE, (1, 48), generator=torch.Generator().manual_seed(400))
    single = LlamaForCausalLM.from_pretrained(FIXTURES / "llama_tiny", attn_implementation="eager")
    for name, scaling in SCALINGS.items():
        # Dynamic scaling takes max_position_embeddings for the original length.
        longest = ORIGINAL if name == "dynamic" else 128
        overrides = {"rope_theta": scaling["rope_theta"], "rope_parameters": dict(scaling), "max_position_embeddings": longest}
        single.config = tiny_llama.config(**overrides, architectures=["LlamaForCausalLM"], dtype="float32")
        (folder / name).mkdir(parents=True)
        content = single.config.to_dict()
        content = {key: content[key] for key in json.loads((FIXTURES / "llama_tiny" / "config.json").read_text())}
        (folder / name / "config.json").write_text(json.dumps(content, indent=2, sort_keys=True) + "\n")
        (folder / name / "config_v4.json").write_text(json.dumps(v4_dialect(content), indent=2, sort_keys=True) + "\n")
        for dialect in ("config.json", "config_v4.json"):
            read = LlamaConfig.from_pretrained(folder / name / dialect).rope_parameters
            assert all(read[key] == value for key, value in scaling.items()), (dialect, read)
        with float64(), torch.no_grad():
            model = tiny_llama.in_float64(single)
            logits = model(input_ids=ids, use_cache=False).logits[0]
            rotary = model.model.rotary_emb
            cos, sin = rotary(logits, torch.arange(ids.shape[1])[None])
            assert cos.dtype == torch.float64
            write_tensors(folder / name / "expected.safetensors", {
                "input_ids": ids[0], "logits": logits, "cos": cos[0, :, : cos.shape[-1] // 2],
                "sin": sin[0, :, : sin.shape[-1] // 2], "inverse_frequencies": rotary.inv_freq,
                "attention_scaling": torch.tensor(rotary.attention_scaling)}, __file__)
        print(name, rotary.inv_freq.tolist(), rotary.attention_scaling)


if __name__ == "__main__":
    main()
