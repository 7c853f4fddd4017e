"""PyTorch's side of lora-step and full-step: python llama_step.py FOLDER lora|full THREADS. One row a step, all of it trained on, float32, SDPA."""
import json
import resource
import sys
import time

import torch
from torch.nn.functional import cross_entropy
from transformers import LlamaForCausalLM

folder, variant, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
WARM_UP = 2
torch.set_num_threads(threads)
rows = json.load(open(f"{folder}/rows.json"))
model = LlamaForCausalLM.from_pretrained(f"{folder}/base", dtype=torch.float32, attn_implementation="sdpa")
if variant == "lora":
    from peft import LoraConfig, get_peft_model

    model = get_peft_model(model, LoraConfig(r=8, lora_alpha=16, lora_dropout=0.0, target_modules="all-linear"))
model.config.use_cache = False
model.train()
parameters = [p for p in model.parameters() if p.requires_grad]
optimizer = torch.optim.AdamW(parameters, lr=1e-4, weight_decay=0.0)
started = 0.0
for step, row in enumerate(rows):
    ids = torch.tensor([row])
    # The model reads all but the last token and predicts all but the first: as many tokens as our side computes.
    logits = model(input_ids=ids[:, :-1]).logits
    cross_entropy(logits[0], ids[0, 1:]).backward()
    torch.nn.utils.clip_grad_norm_(parameters, 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    if step + 1 == WARM_UP:
        started = time.perf_counter()
seconds = time.perf_counter() - started
tokens = sum(len(row) - 1 for row in rows[WARM_UP:])
print(json.dumps({"value": tokens / seconds, "seconds": seconds, "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
