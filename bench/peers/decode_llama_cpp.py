"""llama.cpp's side of decode: python decode_llama_cpp.py FOLDER MODEL.gguf THREADS. Greedy; the library's own calls, no text."""
import ctypes
import json
import resource
import sys
import time

import llama_cpp as ggml
import numpy as np

folder, path, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
work = json.load(open(f"{folder}/work.json"))
silent = ggml.llama_log_callback(lambda *_: None)
ggml.llama_log_set(silent, ctypes.c_void_p(0))
ggml.llama_backend_init()
model = ggml.llama_model_load_from_file(path.encode(), ggml.llama_model_default_params())
settings = ggml.llama_context_default_params()
settings.n_ctx = len(work["prompt"]) + work["count"] + 8
settings.n_threads = settings.n_threads_batch = threads
context = ggml.llama_init_from_model(model, settings)
vocabulary = ggml.llama_vocab_n_tokens(ggml.llama_model_get_vocab(model))


def read(ids):
    tokens = (ggml.llama_token * len(ids))(*ids)
    if ggml.llama_decode(context, ggml.llama_batch_get_one(tokens, len(ids))) != 0:
        raise RuntimeError("llama_decode failed")
    return int(np.ctypeslib.as_array(ggml.llama_get_logits_ith(context, -1), (vocabulary,)).argmax())


def generate(count):
    ggml.llama_memory_clear(ggml.llama_get_memory(context), True)
    began = time.perf_counter()
    ids = [read(work["prompt"])]
    first = time.perf_counter()
    while len(ids) < count:
        ids.append(read(ids[-1:]))
    return first - began, time.perf_counter() - first, ids


generate(4)
prompt_seconds, seconds, ids = generate(work["count"])
print(json.dumps({
    "value": (work["count"] - 1) / seconds, "seconds": seconds, "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    "prompt_seconds": prompt_seconds, "ids": ids,
}))
