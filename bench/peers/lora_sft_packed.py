"""Packing by hand, lora-sft's second peer: python lora_sft_packed.py FOLDER BASE THREADS. The 4 rows of a batch end to end as one sequence without a pad,
positions from 0 in each, a block-diagonal causal mask for SDPA, logits of every token as the model gives them, loss on the answers."""
import json
import resource
import sys
import time

import torch
from peft import LoraConfig, get_peft_model
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM

folder, base, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
BATCH, WARM_UP = 4, 2
torch.set_num_threads(threads)
rows = json.load(open(f"{folder}/rows.json"))
model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32, attn_implementation="sdpa")
model = get_peft_model(model, LoraConfig(r=8, lora_alpha=16, lora_dropout=0.0, target_modules="all-linear", task_type="CAUSAL_LM"))
model.config.use_cache = False
model.train()
parameters = [p for p in model.parameters() if p.requires_grad]
optimizer = torch.optim.AdamW(parameters, lr=1e-4, weight_decay=0.0)
steps, started = len(rows) // BATCH, 0.0
for step in range(steps):
    batch = rows[step * BATCH : (step + 1) * BATCH]
    ids = torch.tensor([[i for row in batch for i in row["ids"]]])
    positions = torch.tensor([[p for row in batch for p in range(len(row["ids"]))]])
    owner = torch.tensor([number for number, row in enumerate(batch) for _ in row["ids"]])
    mask = (owner[:, None] == owner[None, :]).tril()[None, None]
    labels = torch.tensor([i if w else -100 for row in batch for i, w in zip(row["ids"], row["weights"])])
    logits = model(input_ids=ids, position_ids=positions, attention_mask=mask).logits
    cross_entropy(logits[0, :-1], labels[1:], ignore_index=-100).backward()
    torch.nn.utils.clip_grad_norm_(parameters, 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    if step + 1 == WARM_UP:
        started = time.perf_counter()
seconds = time.perf_counter() - started
print(json.dumps({"value": (steps - WARM_UP) * BATCH / seconds, "seconds": seconds, "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
