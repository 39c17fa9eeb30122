# SPDX-License-Identifier: Apache-2.0
"""graft beside its peers, interleaved: every peer once, then every peer again, each in a process of its own.

This process imports nothing large: a child's peak RSS would start from it.
"""

import argparse
import datetime
import importlib.util
import json
import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import graft_train
import machine
import table

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="run.sh", formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--graft", type=Path, default=ROOT / "build/release/examples/graft", help="the release build's program")
    parser.add_argument("--bench", type=Path, default=ROOT / "build/bench/bench/bench_micro_backend", help="for graft's GEMM rate")
    parser.add_argument("--gguf", type=Path, default=Path.home() / ".cache/graft/SmolLM2-135M-Instruct.Q4_1.gguf")
    parser.add_argument("--gsm8k", type=Path, help="JSONL of prompts and completions; default: generated ones")
    parser.add_argument("--pairs", type=Path, help="JSONL of preference pairs; default: generated ones")
    parser.add_argument("--trl-ppo", type=Path, metavar="DIR", help="TRL 1.12, the last with PPO: pip install --no-deps --target DIR trl==1.12.0")
    parser.add_argument("--work", type=Path, default=ROOT / "build/peers", help="where model, data and results go")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--steps", type=int, default=5, help="measured steps of a run")
    parser.add_argument("--warmup", type=int, default=2, help="steps before them")
    parser.add_argument("--timeout", type=float, default=3600, help="seconds of one run")
    parser.add_argument("--quick", action="store_true", help="one repeat of one step after one: only to see that it works")
    parser.add_argument("--only", action="append", metavar="NAME", help="this peer alone; may be repeated")
    parser.add_argument("--list", action="store_true", help="print the peers' names")
    args = parser.parse_args()
    if args.quick:
        args.repeats, args.steps, args.warmup = 1, 1, 1
    return args


def plan(args: argparse.Namespace) -> dict:
    """The peers by name. `against`: the run of graft whose rate is divided by this one's."""
    work, gguf, hf = args.work, args.gguf, args.work / "model"
    records = args.gsm8k or work / "records.jsonl"
    pairs = args.pairs or work / "pairs.jsonl"
    peers = {}

    def add(name, group, text, against, unit, batch, **how):
        peers[name] = {"group": group, "text": text, "against": against, "unit": unit, "batch": batch, **how}

    def graft(name, group, text, flags, batch, unit="tokens_per_second", against=None):
        add(name, group, text, against or name, unit, batch, graft=flags)

    def python(name, group, text, against, script, flags, data, batch, unit="tokens_per_second", model=hf):
        add(name, group, text, against, unit, batch, script=script, flags=flags, data=data, model=model)

    sft = ["sft", "--data", str(work / "dense.jsonl"), "--max-length", "512"]
    lora = "LoRA step, 4 × 512 tokens"
    graft("graft_lora", lora, "graft f32, F32 base", [*sft, "--model", str(hf), "--precision", "f32"], 4)
    graft("graft_lora_auto", lora, "graft --precision auto, F32 base", [*sft, "--model", str(hf)], 4, against="graft_lora")
    graft("graft_lora_int8", lora, "graft --precision int8, F32 base", [*sft, "--model", str(hf), "--precision", "int8"], 4, against="graft_lora")
    graft("graft_lora_q4", lora, "graft f32, Q4_1 base", [*sft, "--model", str(gguf), "--precision", "f32"], 4, against="graft_lora")
    graft("graft_lora_small", lora, "graft f32, Q4_1 base, --memory-limit 450M",
          [*sft, "--model", str(gguf), "--precision", "f32", "--memory-limit", "450M"], 4, against="graft_lora")
    for name, text, flags in (("peft", "PEFT f32", []), ("peft_compile", "PEFT f32, torch.compile", ["--compile"]),
                              ("peft_bf16", "PEFT bf16", ["--bf16"]),
                              ("peft_bf16_compile", "PEFT bf16, torch.compile", ["--bf16", "--compile"]),
                              ("peft_bf16_checkpointing", "PEFT bf16, checkpointing", ["--bf16", "--checkpointing"])):
        python(name, lora, text, "graft_lora", "torch_dense.py", flags, work / "dense.json", 4)

    full = "full fine-tuning step, 4 × 512 tokens"
    graft("graft_full", full, "graft f32", [*sft, "--model", str(hf), "--precision", "f32", "--method", "full"], 4)
    graft("graft_full_auto", full, "graft --precision auto, --memory-limit 2800M",
          [*sft, "--model", str(hf), "--method", "full", "--memory-limit", "2800M"], 4, against="graft_full")
    python("torch_full", full, "torch f32", "graft_full", "torch_dense.py", ["--full"], work / "dense.json", 4)
    python("torch_full_bf16", full, "torch bf16", "graft_full", "torch_dense.py", ["--full", "--bf16"], work / "dense.json", 4)

    real = "LoRA SFT, prompts and completions, batch 8"
    data = ["sft", "--data", str(records), "--max-length", "1024"]
    graft("graft_sft", real, "graft f32, F32 base", [*data, "--model", str(hf), "--precision", "f32"], 8, "records_per_second")
    graft("graft_sft_q4", real, "graft --precision auto, Q4_1 base", [*data, "--model", str(gguf)], 8, "records_per_second",
          against="graft_sft")
    graft("graft_sft_int8", real, "graft --precision int8, F32 base", [*data, "--model", str(hf), "--precision", "int8"], 8,
          "records_per_second", against="graft_sft")
    graft("graft_sft_small", real, "graft --precision auto, Q4_1 base, --memory-limit 1000M",
          [*data, "--model", str(gguf), "--memory-limit", "1000M"], 8, "records_per_second", against="graft_sft")
    python("trl_sft", real, "TRL SFTTrainer f32", "graft_sft", "trl_train.py", [], records, 8, "records_per_second")

    preference = "LoRA DPO, pairs, batch 4"
    graft("graft_dpo", preference, "graft f32, F32 base",
          ["dpo", "--data", str(pairs), "--max-length", "512", "--model", str(hf), "--precision", "f32"], 4, "records_per_second")
    graft("graft_dpo_small", preference, "graft --precision auto, Q4_1 base, --memory-limit 1000M",
          ["dpo", "--data", str(pairs), "--max-length", "512", "--model", str(gguf), "--memory-limit", "1000M"], 4, "records_per_second",
          against="graft_dpo")
    python("trl_dpo", preference, "TRL DPOTrainer f32", "graft_dpo", "trl_train.py", ["--dpo"], pairs, 4, "records_per_second")

    reward = "LoRA reward model, pairs, batch 4"
    graft("graft_reward", reward, "graft f32, F32 base",
          ["reward", "--data", str(pairs), "--max-length", "512", "--model", str(hf), "--precision", "f32"], 4, "records_per_second")
    graft("graft_reward_small", reward, "graft --precision auto, Q4_1 base, --memory-limit 1100M",
          ["reward", "--data", str(pairs), "--max-length", "512", "--model", str(gguf), "--memory-limit", "1100M"], 4, "records_per_second",
          against="graft_reward")
    python("trl_reward", reward, "TRL RewardTrainer f32", "graft_reward", "trl_train.py", ["--reward"], pairs, 4, "records_per_second")

    rollouts = ["--data", str(work / "policy.jsonl"), "--max-completion-length", "64"]
    in_f32, quantised = ["--model", str(hf), "--precision", "f32"], ["--model", str(gguf)]
    group = "LoRA GRPO, 1 prompt × 8 completions of 64 tokens, KL 0.04"
    grpo = ["grpo", *rollouts, "--num-generations", "8", "--beta", "0.04", "--reward", "repetition_penalty"]
    graft("graft_grpo", group, "graft f32, F32 base", [*grpo, *in_f32], 1, "records_per_second")
    graft("graft_grpo_auto", group, "graft --precision auto, Q4_1 base", [*grpo, *quantised], 1, "records_per_second", against="graft_grpo")
    graft("graft_grpo_int8", group, "graft --precision int8, Q4_1 base", [*grpo, *quantised, "--precision", "int8"], 1, "records_per_second",
          against="graft_grpo")
    python("trl_grpo", group, "TRL GRPOTrainer f32", "graft_grpo", "trl_policy.py", [], work / "policy.jsonl", 1, "records_per_second")
    group = "LoRA PPO, 8 prompts, 64 new tokens, 4 epochs, reward model and critic"
    ppo = ["ppo", *rollouts, "--reward-model", str(work / "reward_model")]
    graft("graft_ppo", group, "graft f32, F32 base", [*ppo, *in_f32], 8, "records_per_second")
    graft("graft_ppo_auto", group, "graft --precision auto, Q4_1 base", [*ppo, *quantised], 8, "records_per_second", against="graft_ppo")
    graft("graft_ppo_shared", group, "graft --precision auto, Q4_1 base, --shared-critic", [*ppo, *quantised, "--shared-critic"], 8,
          "records_per_second", against="graft_ppo")
    python("trl_ppo", group, "TRL 1.12 PPOTrainer f32", "graft_ppo", "trl_policy.py", ["--ppo"], work / "policy.jsonl", 8,
           "records_per_second")

    for kind, text, decode, streams in (("prefill", "a prompt of 512 tokens", False, 1), ("decode", "128 tokens, one stream", True, 1),
                                        ("decode16", "128 tokens, 16 streams", True, 16)):
        add(f"graft_{kind}", f"generation, Q4_1: {text}", "graft", f"graft_{kind}", "tokens_per_second", streams,
            generate={"decode": decode, "streams": streams})
        if streams == 1:
            python(f"llama_cpp_{kind}", f"generation, Q4_1: {text}", "llama.cpp", f"graft_{kind}", "llama_cpp_generate.py",
                   ["--decode"] if decode else [], work / "dense.json", 1, model=gguf)
    return peers


def reason_to_skip(peer: dict, args: argparse.Namespace) -> str | None:
    command = peer.get("graft", [None])[0]
    if command and not graft_train.has_command(args.graft, command):
        return f"this graft has no command {command}"
    if peer.get("script", "").startswith("llama_cpp") and importlib.util.find_spec("llama_cpp") is None:
        return "llama-cpp-python is not installed"
    if "--ppo" in peer.get("flags", []) and args.trl_ppo is None:
        return "TRL has no PPO after 1.12: --trl-ppo DIR names an unpacked wheel of that version"
    return None


def measure(peer: dict, args: argparse.Namespace) -> dict:
    if "graft" in peer:
        return graft_train.train(args.graft, peer["graft"], args.threads, args.warmup, args.steps, peer["batch"])
    if "generate" in peer:
        return graft_train.generate(args.graft, args.gguf, args.work / "prompts.jsonl", args.threads, **peer["generate"])
    command = [sys.executable, HERE / peer["script"], *peer["flags"], "--model", peer["model"], "--data", peer["data"], "--threads",
               args.threads, "--steps", args.steps, "--warmup", args.warmup, "--batch", peer["batch"]]
    run = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=args.timeout,
                         env={**os.environ, "OMP_NUM_THREADS": str(args.threads), "TOKENIZERS_PARALLELISM": "false",
                              **({"PYTHONPATH": str(args.trl_ppo)} if "--ppo" in peer["flags"] else {})})
    if run.returncode != 0:
        raise RuntimeError(run.stderr[-2000:])
    return json.loads(run.stdout.splitlines()[-1])


def prepare(args: argparse.Namespace):
    import prepare

    args.work.mkdir(parents=True, exist_ok=True)
    prepare.model_directory(args.gguf, args.work / "model")
    prepare.dense(args.work / "model", args.work, 64, 512)
    count = 8 * (args.warmup + args.steps)
    prepare.records(args.work, count)
    prepare.pairs(args.work, count)
    prepare.prompts_with_answers(args.gsm8k or args.work / "records.jsonl", args.work, count)
    graft_train.reward_model(args.graft, args.work / "model", args.pairs or args.work / "pairs.jsonl", args.work / "reward_model")


def main():
    args = arguments()
    peers = plan(args)
    if args.list:
        print("\n".join(peers))
        return
    unknown = set(args.only or []) - set(peers)
    if unknown:
        sys.exit(f"run.sh: no peer {', '.join(sorted(unknown))}; --list names them")
    if not args.graft.exists():
        sys.exit(f"run.sh: {args.graft} does not exist: cmake --workflow --preset release, or --graft PROGRAM")
    preparation = multiprocessing.get_context("spawn").Process(target=prepare, args=(args,))  # torch stays out of this process
    preparation.start()
    preparation.join()
    if preparation.exitcode != 0:
        sys.exit("run.sh: the preparation failed")

    results, failures = {name: [] for name in peers if not args.only or name in args.only}, {}
    for name in results:
        reason = reason_to_skip(peers[name], args)
        if reason:
            failures[name] = reason
            print(f"{name}: skipped: {reason}", file=sys.stderr)
    about = machine.describe(args.threads, args.bench)
    for repeat in range(args.repeats):
        for name in results:
            if name in failures:
                continue
            try:
                result = measure(peers[name], args)
            except (RuntimeError, subprocess.TimeoutExpired, AssertionError) as error:
                failures[name] = str(error)
                print(f"{name}: failed: {error}", file=sys.stderr)
                continue
            results[name].append(result)
            print(f"{repeat + 1}/{args.repeats} {name}: {result[peers[name]['unit']]:.3g} {table.UNITS[peers[name]['unit']]}, "
                  f"{result['peak_rss_bytes'] / 1e9:.2f} GB", file=sys.stderr)

    rows = table.summarise(results, peers)
    date = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    title = f"{about['processor']}, {args.threads} threads of {about['cores']}, {date}, {args.repeats} repeats of {args.steps} steps"
    gemm = lambda rates: ", ".join(f"{name} {rate:.0f}" for name, rate in rates.items()) or "not measured"
    print(f"{title}\nGEMM GFLOP/s: torch {gemm(about['torch_gemm_gflops'])}; graft {gemm(about['graft_gemm_gflops'])}; "
          f"load before the run {about['load_before']:.1f}\n\n{table.markdown(rows)}")
    for name, reason in failures.items():
        print(f"\nnot measured: {name}: {reason.splitlines()[-1] if reason else 'failed'}")
    (args.work / "peers.json").write_text(json.dumps(
        {"date": date, "machine": about, "threads": args.threads, "repeats": args.repeats, "steps": args.steps, "rows": rows,
         "runs": results, "not_measured": failures}, indent=1, ensure_ascii=False))
    (args.work / "peers.svg").write_text(table.svg(rows, title))
    print(f"\nwrote {args.work / 'peers.json'} and {args.work / 'peers.svg'}", file=sys.stderr)
    broken = [name for name in failures if reason_to_skip(peers[name], args) is None]
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
