# SPDX-License-Identifier: Apache-2.0
"""Where the parity fixtures lie and how they are written.

A safetensors header keeps its metadata in a hash map, so more than one entry would come out in a random order: each
file has the one entry `made_by`, which names the script and the library versions.
"""

import importlib.metadata
import json
import os
import platform
from pathlib import Path

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
import transformers
from safetensors.torch import save_file

torch.set_num_threads(1)
transformers.utils.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()

FIXTURES = Path(os.environ.get("GRAFT_FIXTURES", Path(__file__).resolve().parent.parent / "fixtures"))
LIBRARIES = ("torch", "transformers", "peft", "trl", "tokenizers", "safetensors", "numpy")


def versions() -> dict[str, str]:
    """The versions that a fixture states."""
    return {"python": platform.python_version(), **{name: importlib.metadata.version(name) for name in LIBRARIES}}


def made_by(script: str) -> str:
    return " ".join([f"tests/parity/{Path(script).name}:"] + [f"{name} {version}" for name, version in versions().items()])


def write_json(path: Path, content: dict, script: str) -> None:
    """Writes `content` with the entry `made_by` in front; floats in full (repr) precision."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"made_by": made_by(script), **content}, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def write_tensors(path: Path, tensors: dict[str, torch.Tensor], script: str) -> None:
    """Scalars get the shape [1]."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: torch.atleast_1d(tensor.detach().clone()).contiguous() for name, tensor in tensors.items()}, str(path),
              metadata={"made_by": made_by(script)})
    path.chmod(0o644)
