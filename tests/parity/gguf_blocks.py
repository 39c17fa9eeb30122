#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes tests/fixtures/quant/: blocks of every GGUF format and the floats that the `gguf` package makes of them.

Run: python3 -m venv /tmp/venv-gguf && /tmp/venv-gguf/bin/pip install gguf && /tmp/venv-gguf/bin/python tests/parity/gguf_blocks.py
(made with gguf 0.19.0, numpy 2.4). The files are read by tests/unit/quant/{decode,encode}.test.cpp.

<format>.blocks  raw blocks: random bytes, then blocks whose half-precision scales are edge values
<format>.f32     the decoded values, little-endian float32 (NaN where the format yields NaN)
encode.f32       values to encode; encode.<format>: what gguf's quantiser makes of them
"""
import itertools
import os
import pathlib

import numpy as np
from gguf import quants
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType as T

OUT = pathlib.Path(os.environ.get("GRAFT_FIXTURES", pathlib.Path(__file__).resolve().parent.parent / "fixtures")) / "quant"
# offsets of the half-precision fields in a block
HALVES = {T.F16: [0], T.Q8_0: [0], T.Q4_0: [0], T.Q4_1: [0, 2], T.Q5_0: [0], T.Q5_1: [0, 2],
          T.Q4_K: [0, 2], T.Q5_K: [0, 2], T.Q6_K: [208], T.Q2_K: [80, 82], T.Q3_K: [108], T.IQ4_NL: [0], T.IQ4_XS: [0]}
# zeros, subnormals, smallest normal, ones, largest, infinities, NaN
EDGES = [0x0000, 0x8000, 0x0001, 0x83FF, 0x0400, 0x3C00, 0xBC00, 0x7BFF, 0xFBFF, 0x7C00, 0xFC00, 0x7E01]


def blocks_of(kind, rng):
    size = GGML_QUANT_SIZES[kind][1]
    halves = HALVES[kind]
    edges = list(itertools.product(EDGES, repeat=len(halves)))
    if len(edges) > 30:  # every value meets some other value
        edges = [(a, EDGES[(i * 5 + k) % len(EDGES)]) for i, a in enumerate(EDGES) for k in range(2)]
    count = 4 if size > 64 else 16
    if size > 64:
        edges = edges[::3]
    blocks = rng.integers(0, 256, size=(count + len(edges), size), dtype=np.uint8)
    for row in blocks[:count]:  # ordinary scales, so that few random blocks are infinite
        for at in halves:
            row[at:at + 2] = np.array([rng.normal() * 0.02], np.float16).view(np.uint8)
    for row, values in zip(blocks[count:], edges):
        for at, value in zip(halves, values):
            row[at:at + 2] = np.array([value], np.uint16).view(np.uint8)
    return blocks


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(20240517)
    with np.errstate(all="ignore"):
        for kind in HALVES:
            blocks = blocks_of(kind, rng)
            (OUT / f"{kind.name.lower()}.blocks").write_bytes(blocks.tobytes())
            values = quants.dequantize(blocks, kind).astype("<f4")
            (OUT / f"{kind.name.lower()}.f32").write_bytes(values.tobytes())
    x = (rng.normal(size=(10, 32)) * 10.0 ** rng.integers(-3, 3, size=(10, 1))).astype(np.float32)
    x[8] = 0
    x[9] = 0.75
    (OUT / "encode.f32").write_bytes(x.astype("<f4").tobytes())
    for kind in (T.Q8_0, T.Q4_0, T.Q4_1, T.Q5_0, T.Q5_1, T.F16, T.BF16):
        (OUT / f"encode.{kind.name.lower()}").write_bytes(quants.quantize(x, kind).tobytes())


if __name__ == "__main__":
    main()
