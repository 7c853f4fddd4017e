"""PyTorch's side of small-step: python small_step.py FOLDER full|lora THREADS. Batches are padded to their longest row, as transformers' collators do."""
import json
import resource
import sys
import time

import torch
from transformers import LlamaForCausalLM

folder, variant, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
BATCH, WARM_UP = 16, 20
torch.set_num_threads(threads)
work = json.load(open(f"{folder}/rows.json"))
model = LlamaForCausalLM.from_pretrained(f"{folder}/base", dtype=torch.float32)
if variant == "lora":
    from peft import LoraConfig, get_peft_model

    model = get_peft_model(model, LoraConfig(r=8, lora_alpha=16, lora_dropout=0.0, target_modules="all-linear"))
model.train()
parameters = [p for p in model.parameters() if p.requires_grad]
optimizer = torch.optim.AdamW(parameters, lr=1e-4, weight_decay=0.0)
rows, trained = work["ids"], work["trained"]
tokens, started = 0, 0.0
for step in range(len(rows) // BATCH):
    batch = rows[step * BATCH : (step + 1) * BATCH]
    longest = max(map(len, batch))
    ids = torch.tensor([row + [1] * (longest - len(row)) for row in batch])
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in batch])
    labels = torch.tensor([[-100] * (len(row) - trained) + row[-trained:] + [-100] * (longest - len(row)) for row in batch])
    model(input_ids=ids, attention_mask=mask, labels=labels).loss.backward()
    torch.nn.utils.clip_grad_norm_(parameters, 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    if step + 1 == WARM_UP:
        started = time.perf_counter()
    elif step + 1 > WARM_UP:
        tokens += sum(map(len, batch))
seconds = time.perf_counter() - started
print(json.dumps({"value": tokens / seconds, "seconds": seconds, "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
