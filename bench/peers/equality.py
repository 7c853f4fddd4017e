"""PyTorch's side of equality: python equality.py FOLDER MODEL THREADS float32|int4.

Trains FOLDER/initial (PEFT) on FOLDER/rows.json over MODEL, row by row (no pads), AdamW, warm-up and linear decay, and prints the loss of each step.
int4: the linear layers of the blocks are first rounded as gguf's reference quantizer rounds to Q4_0.
Where FOLDER/logits.f32 lies (ours, of the first rows' tokens from which an answer is predicted), it is held against transformers in float64.
"""
import json
import os
import sys

import torch
from gguf import quants
from gguf.constants import GGMLQuantizationType
from peft import PeftModel
from transformers import AutoModelForCausalLM, get_linear_schedule_with_warmup

folder, base, threads, precision = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
STEPS, BATCH, RATE, WARM_UP, MAX_NORM, LOGIT_ROWS = 60, 4, 2e-4, 6, 1.0, 8
torch.set_num_threads(threads)
work = json.load(open(f"{folder}/rows.json"))
rows = [(torch.tensor([ids]), torch.tensor(weights)) for ids, weights in zip(work["ids"], work["weights"])]


def load(dtype):
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32, attn_implementation="eager").eval()
    if precision == "int4":
        for name, parameter in model.named_parameters():
            if "_proj" in name:
                blocks = quants.quantize(parameter.detach().numpy(), GGMLQuantizationType.Q4_0)
                parameter.data.copy_(torch.from_numpy(quants.dequantize(blocks, GGMLQuantizationType.Q4_0)))
    return model.to(dtype)


def logits(model):
    """Of the tokens from which a trained-on token is predicted, [tokens, vocabulary] in float64."""
    with torch.no_grad():
        return torch.cat([model(input_ids=ids).logits[0][:-1][weights[1:] > 0].double() for ids, weights in rows[:LOGIT_ROWS]])


def row_loss(model, ids, weights):
    hidden = model(input_ids=ids).logits[0, :-1].float()
    losses = torch.nn.functional.cross_entropy(hidden, ids[0, 1:], reduction="none")
    return (losses * weights[1:]).sum()


def curve():
    model = PeftModel.from_pretrained(load(torch.float32), f"{folder}/initial", is_trainable=True)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=RATE, weight_decay=0.0)
    scheduler = get_linear_schedule_with_warmup(optimizer, WARM_UP, STEPS)
    losses = []
    for step in range(STEPS):
        batch = rows[step * BATCH : (step + 1) * BATCH]
        weight = sum(w[1:].sum().item() for _, w in batch)
        total = 0.0
        for ids, weights in batch:
            loss = row_loss(model, ids, weights) / weight
            loss.backward()
            total += loss.item()
        torch.nn.utils.clip_grad_norm_(trained, MAX_NORM)
        optimizer.step()
        scheduler.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(total)
        print(f"step {step + 1}: {total}", file=sys.stderr)
    return losses


result = {"losses": curve()}
if os.path.exists(f"{folder}/logits.f32"):
    exact = logits(load(torch.float64))
    ours = torch.frombuffer(bytearray(open(f"{folder}/logits.f32", "rb").read()), dtype=torch.float32).reshape(exact.shape).double()
    result["logits"] = {
        "largest": exact.abs().max().item(),
        "ours": (ours - exact).abs().max().item(),
        "transformers_float32": (logits(load(torch.float32)) - exact).abs().max().item(),
    }
print(json.dumps(result))
