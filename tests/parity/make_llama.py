# SPDX-License-Identifier: Apache-2.0
"""Tiny random Llamas with what transformers and PEFT compute with them, in float64.

    python tests/parity/make_llama.py      rewrites tests/fixtures/llama_tiny, llama_tiny_untied and llama_tiny_bias

Every folder holds an HF model (config.json, model.safetensors in float32), `expected.safetensors` (a forward pass
over three packed sequences), `full_gradients.safetensors` (d loss / d weight), `training.json` (the course of 50 steps
of AdamW and 20 of SGD on all weights) and `adapters/NAME/`: the adapter as PEFT saves it, what it gives, its gradients,
its training and the merged weights.
"""

import copy
import json
import shutil
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict

import tiny_llama
from fixture_files import FIXTURES, write_json, write_tensors
from float64 import float64

ADAMW = {"optimizer": "AdamW", "learning_rate": 1e-3, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8,
         "weight_decay": 0.01, "max_grad_norm": 1.0, "steps": 50}
SGD = {"optimizer": "SGD", "learning_rate": 0.05, "momentum": 0.9, "nesterov": True, "dampening": 0.0,
       "weight_decay": 0.01, "max_grad_norm": 1.0, "steps": 20}


def optimizer_of(settings: dict, parameters):
    """The weight decay takes norms and biases too, unless `decay_vectors` is false."""
    if not settings.get("decay_vectors", True):
        parameters = [{"params": [p for p in parameters if p.ndim > 1]},
                      {"params": [p for p in parameters if p.ndim == 1], "weight_decay": 0.0}]
    if settings["optimizer"] == "AdamW":
        return torch.optim.AdamW(parameters, lr=settings["learning_rate"], eps=settings["epsilon"],
                                 betas=(settings["beta1"], settings["beta2"]), weight_decay=settings["weight_decay"])
    return torch.optim.SGD(parameters, lr=settings["learning_rate"], momentum=settings["momentum"],
                           nesterov=settings["nesterov"], weight_decay=settings["weight_decay"])


def train(model, settings: dict, data: list[dict]) -> dict:
    """Step s takes batch s modulo their number; `grad_norms` are those before clipping."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = optimizer_of(settings, parameters)
    losses, norms = [], []
    for step in range(settings["steps"]):
        batch = [data[i] for i in tiny_llama.TRAINING_BATCHES[step % len(tiny_llama.TRAINING_BATCHES)]]
        optimizer.zero_grad()
        loss, _ = tiny_llama.loss_of(model, batch)
        loss.backward()
        norms.append(torch.nn.utils.clip_grad_norm_(parameters, settings["max_grad_norm"]).item())
        optimizer.step()
        losses.append(loss.item())
    return {**settings, "losses": losses, "grad_norms": norms}


def gradient_norm(model) -> torch.Tensor:
    return torch.stack([p.grad.norm() for p in model.parameters() if p.grad is not None]).norm()


def full_fine_tuning(folder: Path, base, data: list[dict], **settings_of_all) -> None:
    batch = [data[i] for i in tiny_llama.FORWARD_BATCH]
    model = copy.deepcopy(base)
    expected = tiny_llama.forward_tensors(model, batch)
    expected["loss"].backward()
    write_tensors(folder / "full_gradients.safetensors",
                  {name: parameter.grad for name, parameter in model.named_parameters()}, __file__)
    expected["grad_norm"] = gradient_norm(model)
    expected["supervised_tokens"] = torch.tensor(tiny_llama.supervised(batch))
    write_tensors(folder / "expected.safetensors", expected, __file__)

    courses, final = {}, None
    for key, settings in (("adamw", ADAMW), ("sgd", SGD)):
        model = copy.deepcopy(base)
        courses[key] = train(model, {**settings, **settings_of_all}, data)
        if key == "adamw":
            final = {name: parameter.to(torch.float32) for name, parameter in model.named_parameters()}
    write_tensors(folder / "full_after_adamw.safetensors", final, __file__)
    write_json(folder / "training.json", courses, __file__)


def adapted_model(base, lora: LoraConfig, seed: int):
    """A PEFT model on a copy of `base`; A and B both random, float32 values (so that the saved file is exact)."""
    generator = torch.Generator().manual_seed(seed)
    model = get_peft_model(copy.deepcopy(base), lora).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_" in name:
                scale = 1 / parameter.shape[1] ** 0.5 if "lora_A" in name else 0.15
                parameter.copy_(scale * torch.randn(parameter.shape, generator=generator, dtype=torch.float32))
            elif parameter.requires_grad:
                noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float32)
                parameter.copy_((parameter + 0.1 * noise).to(torch.float32))
    return model


def saved_names(model) -> dict[str, torch.nn.Parameter]:
    """The trainable parameters under the names that PEFT gives them in adapter_model.safetensors."""
    by_storage = {p.data_ptr(): p for p in model.parameters() if p.requires_grad}
    names = {}
    for name, tensor in get_peft_model_state_dict(model, save_embedding_layers=False).items():
        if tensor.data_ptr() in by_storage:
            names[name] = by_storage[tensor.data_ptr()]
    assert len(names) == len(by_storage), (sorted(names), len(by_storage))
    return names


def save_as_peft_does(model, folder: Path) -> None:
    """PEFT's own files, except that sets of names are put in order and the model card is left out."""
    single = copy.deepcopy(model).to(torch.float32)
    single.save_pretrained(folder, save_embedding_layers=False)
    (folder / "README.md").unlink(missing_ok=True)
    path = folder / "adapter_config.json"
    content = json.loads(path.read_text())
    for key in ("target_modules", "exclude_modules", "modules_to_save"):
        if isinstance(content[key], list):
            content[key] = sorted(content[key])
    path.write_text(json.dumps(content, indent=2, sort_keys=True))


def adapter_fixture(folder: Path, base, lora: LoraConfig, seed: int, data: list[dict]) -> None:
    batch = [data[i] for i in tiny_llama.FORWARD_BATCH]
    model = adapted_model(base, lora, seed)
    save_as_peft_does(model, folder)

    expected = tiny_llama.forward_tensors(model, batch)
    expected["loss"].backward()
    expected = {key: expected[key] for key in ("logits", "target_logprobs", "loss")}
    expected["grad_norm"] = gradient_norm(model)
    expected |= {f"grad.{name}": parameter.grad for name, parameter in saved_names(model).items()}

    start = copy.deepcopy(model.state_dict())
    courses = {}
    for key, settings in (("adamw", ADAMW), ("sgd", SGD)):
        model.load_state_dict(start)
        courses[key] = train(model, settings, data)
        expected |= {f"after_{key}.{name}": parameter.detach().clone() for name, parameter in saved_names(model).items()}
    write_tensors(folder / "expected.safetensors", expected, __file__)
    write_json(folder / "training.json", courses, __file__)

    model.load_state_dict(start)
    merged = model.merge_and_unload().state_dict()
    original = base.state_dict()
    changed = {name: tensor.to(torch.float32) for name, tensor in merged.items() if not torch.equal(tensor, original[name])}
    write_tensors(folder / "merged.safetensors", changed, __file__)


def adapters(base_name: str) -> dict[str, LoraConfig]:
    def lora(**settings):
        return LoraConfig(**{"r": 4, "lora_alpha": 8, "lora_dropout": 0.0, "task_type": "CAUSAL_LM", **settings})

    if base_name == "llama_tiny_bias":
        return {
            "bias_lora_only": lora(target_modules=["q_proj", "v_proj"], bias="lora_only"),
            "bias_all": lora(target_modules=["q_proj", "v_proj"], bias="all"),
        }
    result = {
        "lora_all_linear": lora(target_modules="all-linear"),
        "rslora_qv": lora(target_modules=["q_proj", "v_proj"], use_rslora=True),
    }
    if base_name == "llama_tiny_untied":
        result["modules_to_save"] = lora(r=2, target_modules=["q_proj"], modules_to_save=["lm_head"])
    else:
        result["patterns"] = lora(target_modules=r"model\.layers\.\d+\.(self_attn\.[qko]_proj|mlp\.down_proj)",
                                  rank_pattern={"k_proj": 2, r"layers\.1\.mlp\.down_proj": 3},
                                  alpha_pattern={"q_proj": 16})
        result["one_layer"] = lora(r=3, lora_alpha=5, target_modules=["o_proj", "up_proj"], layers_to_transform=[1],
                                   layers_pattern="layers")
        result["excluded"] = lora(target_modules="all-linear", exclude_modules=["q_proj", "down_proj"])
    return result


MODELS = {
    "llama_tiny": {},
    "llama_tiny_untied": {"tie_word_embeddings": False},
    "llama_tiny_bias": {"attention_bias": True, "mlp_bias": True, "num_hidden_layers": 1, "hidden_size": 18,
                        "intermediate_size": 24, "num_attention_heads": 3, "num_key_value_heads": 1, "head_dim": 8},
}


def main() -> None:
    for number, (name, overrides) in enumerate(MODELS.items()):
        folder = FIXTURES / name
        shutil.rmtree(folder, ignore_errors=True)
        single = tiny_llama.random_model(tiny_llama.config(**overrides), seed=100 + number)
        single.config.name_or_path = name
        single.save_pretrained(folder)
        data = tiny_llama.sequences(seed=200 + number)
        write_json(folder / "sequences.json", {"sequences": data, "forward_batch": tiny_llama.FORWARD_BATCH,
                                               "training_batches": tiny_llama.TRAINING_BATCHES}, __file__)
        with float64():
            base = tiny_llama.in_float64(single)
            base.config.name_or_path = base.name_or_path = name
            full_fine_tuning(folder, base, data)
            for index, (adapter, lora) in enumerate(adapters(name).items()):
                adapter_fixture(folder / "adapters" / adapter, base, lora, 300 + 10 * number + index, data)
        print(f"{folder}: {sum(f.stat().st_size for f in folder.rglob('*') if f.is_file())} bytes")


if __name__ == "__main__":
    main()
