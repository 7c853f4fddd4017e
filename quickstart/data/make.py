"""Makes the trimmed banking77 copy beside this script from the original files (see ATTRIBUTION.md).

    python quickstart/data/make.py FOLDER   # FOLDER holds train.csv and test.csv of PolyAI's banking77

Texts are stripped of edge white space and inner line breaks; a test row whose text (ignoring case and punctuation) occurs in
the training file, and repeated rows, are left out. Rows are taken round robin over the 77 intents so that every intent is covered.
"""
import csv
import json
import re
import sys
from collections import defaultdict
from pathlib import Path

TRAIN_ROWS, TEST_ROWS = 5000, 616


def read(path):
    with open(path, newline="", encoding="utf-8") as file:
        return [(re.sub(r"\s+", " ", row["text"]).strip(), row["category"]) for row in csv.DictReader(file)]


def key(text):
    return re.sub(r"[^a-z0-9]+", " ", text.lower()).strip()


def round_robin(rows, count):
    by_intent = defaultdict(list)
    for row in rows:
        by_intent[row[1]].append(row)
    taken, depth = [], 0
    while len(taken) < count:
        layer = [rows[depth] for _, rows in sorted(by_intent.items()) if depth < len(rows)]
        if not layer:
            break
        taken += layer[: count - len(taken)]
        depth += 1
    return taken


def unique(rows, seen):
    for text, intent in rows:
        if key(text) not in seen:
            seen.add(key(text))
            yield text, intent


folder, here = Path(sys.argv[1]), Path(__file__).parent
everything = read(folder / "train.csv")
train = round_robin(list(unique(everything, set())), TRAIN_ROWS)
test = round_robin(list(unique(read(folder / "test.csv"), {key(text) for text, _ in everything})), TEST_ROWS)
for name, rows in (("banking77.train.jsonl", train), ("banking77.test.jsonl", test)):
    with open(here / name, "w", encoding="utf-8", newline="\n") as file:
        for text, intent in rows:
            file.write(json.dumps({"text": text, "intent": intent}, ensure_ascii=False) + "\n")
    print(name, len(rows), "rows,", len({i for _, i in rows}), "intents")
