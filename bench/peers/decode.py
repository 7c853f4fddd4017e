"""transformers' side of decode: python decode.py FOLDER THREADS. generate, greedy, float32, with its cache; tokens are timed as the streamer gets them."""
import json
import resource
import sys
import time

import torch
from transformers import LlamaForCausalLM

folder, threads = sys.argv[1], int(sys.argv[2])
torch.set_num_threads(threads)
work = json.load(open(f"{folder}/work.json"))
model = LlamaForCausalLM.from_pretrained(f"{folder}/base", dtype=torch.float32).eval()


class Clock:
    def __init__(self):
        self.times = []

    def put(self, _ids):
        self.times.append(time.perf_counter())

    def end(self):
        pass


def generate(count):
    clock = Clock()
    began = time.perf_counter()
    ids = model.generate(
        torch.tensor([work["prompt"]]), max_new_tokens=count, min_new_tokens=count, do_sample=False, use_cache=True, streamer=clock,
        pad_token_id=0,
    )
    _, first, *rest = clock.times  # the streamer gets the prompt first
    return first - began, rest[-1] - first, ids[0, len(work["prompt"]) :].tolist()


generate(4)
prompt_seconds, seconds, ids = generate(work["count"])
print(json.dumps({
    "value": (work["count"] - 1) / seconds, "seconds": seconds, "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    "prompt_seconds": prompt_seconds, "ids": ids,
}))
