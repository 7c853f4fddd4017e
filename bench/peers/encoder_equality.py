"""PyTorch's side of encoder-equality: python encoder_equality.py MODEL WORK.json THREADS FOLDER.

Puts a new head on MODEL without dropout, saves it to FOLDER/base, trains it and prints the loss of each step, and logits of the first rows in float64 with
the largest error of its own float32.
"""
import json
import sys

import torch
from transformers import BertForSequenceClassification

model_folder, work_file, threads, folder = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
torch.set_num_threads(threads)
work = json.load(open(work_file))
names = dict(enumerate(work["names"]))
torch.manual_seed(1)
model = BertForSequenceClassification.from_pretrained(
    model_folder, dtype=torch.float32, id2label=names, label2id={name: number for number, name in names.items()}, hidden_dropout_prob=0.0,
    attention_probs_dropout_prob=0.0, attn_implementation="eager", problem_type="single_label_classification")
model.save_pretrained(f"{folder}/base")


def logits(net, start, count):
    batch = work["ids"][start : start + count]
    longest = max(map(len, batch))
    ids = torch.tensor([row + [0] * (longest - len(row)) for row in batch])
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in batch])
    return net(input_ids=ids, attention_mask=mask).logits


with torch.no_grad():
    narrow = logits(model.eval(), 0, work["logit_rows"]).double()
    exact = logits(model.double(), 0, work["logit_rows"])
model = BertForSequenceClassification.from_pretrained(f"{folder}/base", dtype=torch.float32, attn_implementation="eager").train()
optimizer = torch.optim.AdamW(model.parameters(), lr=work["rate"], weight_decay=0.0)
losses = []
for start in range(0, len(work["ids"]), work["batch"]):
    labels = torch.tensor(work["labels"][start : start + work["batch"]])
    loss = torch.nn.functional.cross_entropy(logits(model, start, work["batch"]), labels)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    losses.append(loss.item())
print(json.dumps({"losses": losses, "logits": exact.tolist(), "float32_error": (narrow - exact).abs().max().item()}))
