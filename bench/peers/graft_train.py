# SPDX-License-Identifier: Apache-2.0
"""graft's program on the same work; its own metrics file gives the seconds of each step."""

import json
import os
import subprocess
import tempfile
import time
from pathlib import Path


def spawn(command: list[str], threads: int) -> tuple[str, int, float]:
    """Standard output, peak RSS in bytes and seconds of a program that must succeed."""
    start = time.perf_counter()
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        child = subprocess.Popen(command, stdout=out, stderr=err, env={**os.environ, "OMP_NUM_THREADS": str(threads)})
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - start
        out.seek(0)
        err.seek(0)
        if child.returncode != 0:
            raise RuntimeError(f"{' '.join(command)}: exit {child.returncode}\n{err.read()[-2000:]}")
        return out.read(), usage.ru_maxrss * 1024, seconds


def train(program: Path, flags: list[str], threads: int, warmup: int, steps: int, batch: int) -> dict:
    """`flags`: the subcommand and all that is particular to this work."""
    with tempfile.TemporaryDirectory() as output:
        command = [str(program), *flags, "--output", output, "--threads", str(threads), "--batch-size", str(batch),
                   "--max-steps", str(warmup + steps), "--learning-rate", "2e-4", "--schedule", "constant", "--no-shuffle"]
        _, peak, whole = spawn(command, threads)
        rows = [json.loads(line) for line in (Path(output) / "metrics.jsonl").read_text().splitlines()]
    rows = [row for row in rows if "step" in row][warmup:]
    assert len(rows) == steps, f"{len(rows)} rows in metrics.jsonl, not {steps}"
    total = sum(row["seconds"] for row in rows)
    tokens = sum(row["tokens"] if "tokens" in row else row["prompt_tokens"] + row["completion_tokens"] for row in rows)
    return {"tokens_per_second": tokens / total, "records_per_second": batch * steps / total,
            "step_seconds": [row["seconds"] for row in rows], "peak_rss_bytes": peak, "loss": rows[-1].get("loss", 0.0),
            "threads": threads, "wall_seconds": whole, "versions": {"graft": version(program)}}


def reward_model(program: Path, model: Path, pairs: Path, output: Path):
    """An adapter with a score head, of one step: what it costs to ask it does not depend on what it says."""
    if not (output / "adapter_config.json").exists():
        spawn([str(program), "reward", "--model", str(model), "--data", str(pairs), "--max-length", "512", "--batch-size", "4",
               "--max-steps", "1", "--output", str(output)], 1)


def generate(program: Path, model: Path, prompts: Path, threads: int, decode: bool, streams: int = 1) -> dict:
    """By differences of two runs, so that loading and, for decoding, the prompt cancel out."""
    lines = prompts.read_text().splitlines()

    def run(count: int, new_tokens: int, batch: int) -> tuple[int, int, float]:
        with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
            file.write("\n".join(lines[:count]) + "\n")
            file.flush()
            out, peak, seconds = spawn([str(program), "generate", "--model", str(model), "--prompts", file.name, "--greedy",
                                        "--max-new-tokens", str(new_tokens), "--batch-size", str(batch)], threads)
        return sum(len(json.loads(line)["ids"]) for line in out.splitlines()), peak, seconds

    if decode:
        (few, _, short), (many, peak, long) = run(streams, 1, streams), run(streams, 129, streams)
        tokens = many - few
    else:
        (_, _, short), (_, peak, long) = run(1, 1, 1), run(9, 1, 1)
        tokens = 8 * 512
    return {"tokens_per_second": tokens / (long - short), "records_per_second": 0.0, "step_seconds": [long - short],
            "peak_rss_bytes": peak, "loss": 0.0, "threads": threads, "versions": {"graft": version(program)}}


def version(program: Path) -> str:
    return subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout.strip()


def has_command(program: Path, command: str) -> bool:
    text = subprocess.run([program, "--help"], capture_output=True, text=True, check=True).stdout
    return any(line.split()[:1] == [command] for line in text.splitlines())
