# SPDX-License-Identifier: Apache-2.0
"""llama.cpp by its Python wheel: tokens/s of a 512-token prompt, and with --decode of 128 greedy tokens after it."""

import json
import time

from llama_cpp import Llama

from measure import Steps, arguments, print_result


def main():
    args = arguments("decode")
    model = Llama(str(args.model), n_ctx=1024, n_batch=512, n_threads=args.threads, n_threads_batch=args.threads, verbose=False)
    ids = json.loads(args.data.read_text())[0][:512]
    steps = Steps(args.warmup)
    for _ in range(args.warmup + args.steps):
        model.reset()
        if not args.decode:
            steps.begin()
            model.eval(ids)
            steps.end(len(ids), 1)
            continue
        model.eval(ids)
        steps.begin()
        for _ in range(128):
            model.eval([model.sample(temp=0.0)])
        steps.end(128, 1)
    print_result(steps, args.threads, 0.0, ["llama-cpp-python"])


main()
