# SPDX-License-Identifier: Apache-2.0
"""What TRL's DPOTrainer and KTOTrainer make of preference records: token ids and completion masks after their collators.

    python tests/parity/make_preference_data.py      rewrites tests/fixtures/preference/

The tokenizer is the one of make_sft_data.py, whose folder must be there. `DPOTrainer._prepare_dataset` and
`DataCollatorForPreference` run on the records; no model is made. A set names its file, the trainer's options, and for each
record that the trainer keeps (`record`: number of the line from 0) both answers' ids and how many of their last tokens are
in the completion mask. An `unpaired` set has single answers, its batch size, and for each answer the ids and the number of completion
tokens of itself and of the mismatched sequence that the KL is estimated on, batch by batch in the file's order.
"""

import json
import shutil
import types

from fixture_files import FIXTURES, write_json
from datasets import Dataset, disable_progress_bars
from transformers import PreTrainedTokenizerFast
from trl.trainer.dpo_trainer import DataCollatorForPreference, DPOTrainer
from trl.trainer.kto_trainer import DataCollatorForUnpairedPreference, KTOTrainer

from make_sft_data import message, turns

CHAT = [
    {"prompt": turns("What is the capital of France?"), "chosen": turns("", "Paris.")[1:], "rejected": turns("", "Rome, I think.")[1:]},
    {"prompt": [message("system", "Answer in one word."), *turns("Is it?")], "chosen": turns("", "Yes.")[1:],
     "rejected": turns("", "It is what it is.")[1:]},
    {"prompt": turns("Hi", "Hello!", "How many?"), "chosen": turns("", "1234567.")[1:], "rejected": turns("", "None.", "why?", "So.")[1:]},
    {"prompt": turns("blank lines"), "chosen": turns("", "\n\nHi")[1:], "rejected": turns("", "Hi")[1:]},
    {"prompt": turns("Say nothing."), "chosen": turns("", "")[1:], "rejected": turns("", "   x ")[1:]},
    {"prompt": turns("日本語 🙂 <|im_end|>"), "chosen": turns("", "señor")[1:], "rejected": turns("", "العربية")[1:]},
    {"prompt": turns("long " * 40), "chosen": turns("", "short")[1:], "rejected": turns("", "no")[1:]},
    {"prompt": turns("short"), "chosen": turns("", "long " * 40)[1:], "rejected": turns("", "no")[1:]},
]
IMPLICIT_CHAT = [{"chosen": r["prompt"] + r["chosen"], "rejected": r["prompt"] + r["rejected"]} for r in CHAT]
TEXT = [
    {"prompt": "What is the capital of France?", "chosen": " Paris.", "rejected": " Rome."},
    {"prompt": "2+2=", "chosen": "4", "rejected": "5"},
    {"prompt": "The answer is ", "chosen": "yes.", "rejected": "no.<|im_end|>"},
    {"prompt": "First line\n", "chosen": "\nSecond line\n", "rejected": "Second line"},
    {"prompt": "日本", "chosen": "語 🙂", "rejected": "人"},
    {"prompt": "long " * 30, "chosen": "short", "rejected": "shorter"},
]
IMPLICIT_TEXT = [
    {"chosen": "The sky is blue.", "rejected": "The sky is green."},
    {"chosen": "What is it? yes", "rejected": "What is it? no"},
    {"chosen": "日本語", "rejected": "日本人"},
    {"chosen": "one two", "rejected": "one two three"},
]
FILES = {"chat": CHAT, "implicit_chat": IMPLICIT_CHAT, "text": TEXT, "implicit_text": IMPLICIT_TEXT}
SETS = [("chat", "tokenizer", {}), ("implicit_chat", "tokenizer", {}), ("text", "tokenizer", {}), ("implicit_text", "tokenizer", {}),
        ("text", "tokenizer_bos", {}), ("chat", "tokenizer", {"max_length": 48}),
        ("chat", "tokenizer", {"max_length": 24, "truncation_mode": "keep_end"}), ("text", "tokenizer", {"max_length": 16})]


UNPAIRED = {f"unpaired_{name}": [{"prompt": r["prompt"], "completion": r["chosen" if i % 3 else "rejected"], "label": i % 3 != 0}
                                 for i, r in enumerate(FILES[name])] for name in ("chat", "text")}
UNPAIRED_SETS = [("unpaired_chat", {}, 3), ("unpaired_text", {}, 4), ("unpaired_chat", {"max_length": 48}, 4), ("unpaired_text", {"max_length": 16}, 2)]


def unpaired_rows(records: list[dict], tokens: PreTrainedTokenizerFast, batch_size: int, max_length=None) -> list[dict]:
    args = types.SimpleNamespace(dataset_num_proc=None, max_length=max_length, per_device_train_batch_size=batch_size)
    trainer = types.SimpleNamespace(_tokenizer=tokens, calculate_KL=True, desirable_weight=1.0, undesirable_weight=1.0)
    data = KTOTrainer._prepare_dataset(trainer, Dataset.from_list([{**r, "record": i} for i, r in enumerate(records)]), tokens, args, "train")
    collator = DataCollatorForUnpairedPreference(pad_token_id=tokens.pad_token_id, max_length=max_length)
    kept = []
    for row in data:
        one = collator([row])
        kept.append({"record": row["record"], "label": row["label"],
                     "ids": one["input_ids"][0].tolist(), "completion": int(one["completion_mask"].sum()),
                     "kl_ids": one["KL_input_ids"][0].tolist(), "kl_completion": int(one["KL_completion_mask"].sum())})
    return kept


def rows(records: list[dict], tokens: PreTrainedTokenizerFast, max_length=None, truncation_mode="keep_start") -> list[dict]:
    args = types.SimpleNamespace(dataset_num_proc=None, max_length=max_length, truncation_mode=truncation_mode)
    data = Dataset.from_list([{**record, "record": i} for i, record in enumerate(records)])
    data = DPOTrainer._prepare_dataset(types.SimpleNamespace(_tokenizer=tokens), data, tokens, args, "train")
    collator = DataCollatorForPreference(pad_token_id=tokens.pad_token_id, max_length=max_length, truncation_mode=truncation_mode)
    kept = []
    for row in data:
        both = collator([row])
        lengths = both["attention_mask"].sum(1).tolist()
        ids = [both["input_ids"][i][:n].tolist() for i, n in enumerate(lengths)]
        masks = [both["completion_mask"][i][:n].tolist() for i, n in enumerate(lengths)]
        assert all(mask == sorted(mask) for mask in masks)
        kept.append({"record": row["record"], "chosen": ids[0], "rejected": ids[1], "completions": [sum(mask) for mask in masks]})
    return kept


def main() -> None:
    disable_progress_bars()
    folder = FIXTURES / "preference"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, records in {**FILES, **UNPAIRED}.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in records), encoding="utf-8")
    sets = []
    for name, tokenizer, options in SETS:
        tokens = PreTrainedTokenizerFast.from_pretrained(FIXTURES / "sft" / tokenizer)
        kept = rows(FILES[name], tokens, **options)
        sets.append({"data": f"{name}.jsonl", "tokenizer": tokenizer, "options": options, "rows": kept})
        print(name, tokenizer, options, len(kept), "of", len(FILES[name]))
    unpaired = []
    for name, options, batch_size in UNPAIRED_SETS:
        tokens = PreTrainedTokenizerFast.from_pretrained(FIXTURES / "sft" / "tokenizer")
        kept = unpaired_rows(UNPAIRED[name], tokens, batch_size, **options)
        unpaired.append({"data": f"{name}.jsonl", "options": options, "batch_size": batch_size, "rows": kept})
        print(name, options, len(kept), "of", len(UNPAIRED[name]))
    write_json(folder / "expected.json", {"sets": sets, "unpaired": unpaired}, __file__)


if __name__ == "__main__":
    main()
