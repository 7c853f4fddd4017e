"""PyTorch's side of encoder-full: python encoder_full.py BASE ROWS.json THREADS. Each batch is padded to its longest row, as transformers' DataCollatorWithPadding does."""
import json
import resource
import sys
import time

import torch
from transformers import BertForSequenceClassification

base, rows, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
torch.set_num_threads(threads)
work = json.load(open(rows))
batch_size, warm_up = work["batch"], work["warm_up"]
torch.manual_seed(1)
model = BertForSequenceClassification.from_pretrained(base, dtype=torch.float32, num_labels=len(work["names"]))
model.train()
optimizer = torch.optim.AdamW(model.parameters(), lr=work["rate"], weight_decay=0.0)
seconds, done = 0.0, 0
for step in range(len(work["ids"]) // batch_size):
    began = time.perf_counter()
    batch = work["ids"][step * batch_size : (step + 1) * batch_size]
    longest = max(map(len, batch))
    ids = torch.tensor([row + [0] * (longest - len(row)) for row in batch])
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in batch])
    labels = torch.tensor(work["labels"][step * batch_size : (step + 1) * batch_size])
    model(input_ids=ids, attention_mask=mask, labels=labels).loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    if step >= warm_up:
        seconds += time.perf_counter() - began
        done += len(batch)
print(json.dumps({"value": done / seconds, "seconds": seconds, "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
