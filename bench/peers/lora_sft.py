"""TRL's side of lora-sft: python lora_sft.py FOLDER BASE THREADS. SFTTrainer as it comes: batches of 4 padded to their longest row, loss on the answer, no packing, no checkpointing, float32."""
import json
import resource
import sys
import time

import torch
from datasets import Dataset
from peft import LoraConfig
from torch.utils.data import SequentialSampler
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
from trl import SFTConfig, SFTTrainer

folder, base, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
BATCH, WARM_UP = 4, 2
torch.set_num_threads(threads)
rows = json.load(open(f"{folder}/rows.json"))
# Tokens as our side has them: tokenizing is not what is compared.
data = Dataset.from_list([{"input_ids": row["ids"], "completion_mask": [int(w != 0) for w in row["weights"]]} for row in rows])
steps = len(rows) // BATCH
times = []


class Clock(TrainerCallback):
    def on_step_end(self, *_, **__):
        times.append(time.perf_counter())


class InOrder(SFTTrainer):
    def _get_train_sampler(self, dataset=None):
        return SequentialSampler(dataset if dataset is not None else self.train_dataset)


trainer = InOrder(
    model=AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32),
    processing_class=AutoTokenizer.from_pretrained(base),
    train_dataset=data,
    args=SFTConfig(output_dir=f"{folder}/trl", per_device_train_batch_size=BATCH, max_steps=steps, learning_rate=1e-4, lr_scheduler_type="constant",
                   completion_only_loss=True, packing=False, gradient_checkpointing=False, bf16=False, fp16=False, use_cpu=True, max_length=None,
                   save_strategy="no", report_to=[], logging_strategy="no", disable_tqdm=True, dataloader_pin_memory=False),
    peft_config=LoraConfig(r=8, lora_alpha=16, lora_dropout=0.0, target_modules="all-linear", task_type="CAUSAL_LM"),
    callbacks=[Clock()],
)
trainer.train()
seconds = times[-1] - times[WARM_UP - 1]
print(json.dumps({"value": (steps - WARM_UP) * BATCH / seconds, "seconds": seconds, "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
