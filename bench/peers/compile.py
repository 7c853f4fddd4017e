"""The peer of `compile`: python compile.py BASE TOKENS THREADS. From the start of the process, imports included, to the end of the first step."""
import json, os, resource, sys, time

# When the process started, from the system: what Python did before this line counts too.
ticks = os.sysconf("SC_CLK_TCK")
started = int(open("/proc/self/stat").read().rsplit(")", 1)[1].split()[19]) / ticks
uptime = lambda: time.clock_gettime(time.CLOCK_BOOTTIME) - started

base, tokens, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

torch.set_num_threads(threads)
model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32, attn_implementation="sdpa")
model = get_peft_model(model, LoraConfig(r=8, lora_alpha=16, lora_dropout=0.0, target_modules="all-linear", task_type="CAUSAL_LM"))
model.train()
optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-4, weight_decay=0.0)
ids = torch.tensor([[20 + (i * 7919) % 40_000 for i in range(tokens)]])
loss = model(input_ids=ids, labels=ids).loss
loss.backward()
torch.nn.utils.clip_grad_norm_([p for p in model.parameters() if p.requires_grad], 1.0)
optimizer.step()
seconds = uptime()
print(json.dumps(dict(value=seconds, seconds=seconds, peak_rss_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)))
