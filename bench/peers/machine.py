# SPDX-License-Identifier: Apache-2.0
"""What the numbers were measured on: processor, cores, and the rates of a large product by torch and by graft."""

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

TORCH_GEMM = """
import json, sys, time, torch
torch.set_num_threads(int(sys.argv[1]))
rates = {}
for name, dtype in (("f32", torch.float32), ("bf16", torch.bfloat16)):
    x, w = torch.full((2048, 576), 0.5, dtype=dtype), torch.full((1536, 576), 0.5, dtype=dtype)
    best = 1e9
    for run in range(20):
        start = time.perf_counter()
        x @ w.T
        best = min(best, time.perf_counter() - start) if run else best
    rates[name] = 2e-9 * 2048 * 576 * 1536 / best
print(json.dumps(rates))
"""


def processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


def describe(threads: int, bench: Path) -> dict:
    """`bench`: the program bench_micro_backend, which may not exist."""
    torch = subprocess.run([sys.executable, "-c", TORCH_GEMM, str(threads)], capture_output=True, text=True, check=True)
    graft = {}
    if bench.exists():
        run = subprocess.run([bench, "--benchmark_filter=ceiling", "--benchmark_format=json"], capture_output=True, text=True,
                             check=True, env={**os.environ, "OMP_NUM_THREADS": str(threads)})
        for row in json.loads(run.stdout)["benchmarks"]:
            graft[row["name"].split("/")[0]] = row["FLOPS"] / 1e9
    flags = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("flags")), "")
    return {"processor": processor(), "cores": os.cpu_count(), "kernel": platform.release(),
            "instructions": [name for name in ("avx2", "avx512f", "avx512_bf16", "avx512_vnni", "amx_tile") if name in flags.split()],
            "load_before": os.getloadavg()[0], "torch_gemm_gflops": json.loads(torch.stdout), "graft_gemm_gflops": graft}
