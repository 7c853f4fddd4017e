"""PyTorch's side of encoder-frozen: python encoder_frozen.py BASE WORK.json THREADS. The backbone is frozen and runs in every epoch, as under transformers' Trainer; batches are padded to their longest row."""
import json
import resource
import sys
import time

import torch
from transformers import BertForSequenceClassification

base, work_file, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
torch.set_num_threads(threads)
work = json.load(open(work_file))
batch_size = work["batch"]
torch.manual_seed(1)
started = time.perf_counter()
model = BertForSequenceClassification.from_pretrained(base, dtype=torch.float32, num_labels=len(work["names"]))
model.bert.requires_grad_(False)
model.train()
model.bert.eval()
optimizer = torch.optim.AdamW(model.classifier.parameters(), lr=work["rate"], weight_decay=0.0)
for epoch in range(work["epochs"]):
    for start in range(0, len(work["ids"]), batch_size):
        batch = work["ids"][start : start + batch_size]
        longest = max(map(len, batch))
        ids = torch.tensor([row + [0] * (longest - len(row)) for row in batch])
        mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in batch])
        labels = torch.tensor(work["labels"][start : start + batch_size])
        model(input_ids=ids, attention_mask=mask, labels=labels).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.classifier.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
seconds = time.perf_counter() - started
print(json.dumps({"value": seconds, "seconds": seconds, "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
