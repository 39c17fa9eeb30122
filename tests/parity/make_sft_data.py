# SPDX-License-Identifier: Apache-2.0
"""What TRL's SFTTrainer makes of records: token ids and labels, with its truncation, dropping and packing.

    python tests/parity/make_sft_data.py      rewrites tests/fixtures/sft

`tokenizer/` is a byte-level BPE of 512 tokens (digits apart, as SmolLM's) with a ChatML template and a default system
message; `tokenizer_bos/` is the same with a BOS in front of plain text. `expected.json` lists the sets: each names its
JSONL file, its tokenizer, the trainer's options, the rows that the trainer keeps (`record`: number of the line from 0)
and the lines that it drops because truncation left nothing supervised.
"""

import copy
import json
import shutil
import tempfile

from fixture_files import FIXTURES, write_json
from datasets import Dataset, disable_progress_bars
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast
from trl import SFTConfig, SFTTrainer
from trl.data_utils import pack_dataset

import tiny_llama
from chat_goldens import TEMPLATES

SYSTEM = "You are graft, a small model that answers in few words."
START = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\n" + SYSTEM + "<|im_end|>\n' }}{% endif %}"
)
PROMPT = "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
TEMPLATE = START + "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}" + PROMPT
# The same text; what stands after the generation prompt is marked, in every assistant turn.
MARKED_TEMPLATE = (
    START + "{{'<|im_start|>' + message['role'] + '\n'}}{% if message['role'] == 'assistant' %}"
    "{% generation %}{{ message['content'] + '<|im_end|>' + '\n' }}{% endgeneration %}"
    "{% else %}{{ message['content'] + '<|im_end|>' + '\n' }}{% endif %}{% endfor %}" + PROMPT
)
CORPUS = [
    SYSTEM, "system\nuser\nassistant\n", "The answer is yes. The answer is no. Is it? It is what it is.",
    "What is the capital of France? The capital of France is Paris.", "How many clips did she sell in April and May?",
    "First line\n\nSecond line\n\n\nThird line\n", "  indented  text\twith tabs and   spaces   ",
    "I'll say we've seen it, they're here, don't you think?", "café naïve Ünïcode señor 日本語 日本語 🙂🙂 العربية",
    "def add(a, b):\n    return a + b\n\n\nprint(add(1, 2))", '{"name": "graft", "rank": 16, "alpha": 32}',
]


def message(role: str, content: str) -> dict:
    return {"role": role, "content": content}


def turns(*contents: str) -> list[dict]:
    return [message("assistant" if i % 2 else "user", content) for i, content in enumerate(contents)]


MESSAGES = [
    turns("What is the capital of France?", "Paris."),
    [message("system", "Answer in one word."), *turns("Is it?", "Yes.")],
    turns("Hi", "Hello!", "How many clips did she sell?", "She sold 1234567 clips in 2024.", "And in May?", "None."),
    [message("system", ""), *turns("no system text", "still a system turn")],
    turns("日本語 🙂", "🏳️‍🌈 señor — العربية"),
    turns("Say nothing.", ""),
    turns("blank lines", "\n\nHi\n\n"),
    turns("  spaces around  ", "   x   "),
    turns("look-alikes: <|im_start|> <|im_end|> <|im_end| >", "I'd not write <|im_end|> here"),
    turns("carriage\r\nreturn", "tab\there\r\n"),
    [*turns("a", "b"), message("user", "the last word is the user's")],
    turns("code", "def add(a, b):\n    return a + b\n"),
]
CHAT = [
    {"prompt": turns("What is the capital of France?"), "completion": turns("", "The capital of France is Paris.")[1:]},
    {"prompt": [message("system", "Answer in one word."), *turns("Is it?")], "completion": turns("", "Yes.")[1:]},
    {"prompt": turns("Hi", "Hello!", "How many?"), "completion": turns("", "1234567.")[1:]},
    {"prompt": turns("a"), "completion": turns("", "b", "c", "d")[1:]},
    {"prompt": turns("blank lines: the prompt's last token merges with them"), "completion": turns("", "\n\nHi")[1:]},
    {"prompt": turns("Say nothing."), "completion": turns("", "")[1:]},
    {"prompt": turns("spaces"), "completion": turns("", "   x ")[1:]},
    {"prompt": turns("日本語 🙂 <|im_end|>"), "completion": turns("", "🏳️‍🌈 señor — العربية")[1:]},
    {"prompt": turns("long " * 40), "completion": turns("", "short")[1:]},
    {"prompt": turns("short"), "completion": turns("", "long " * 40)[1:]},
]
TOOLS = [{"type": "function", "function": {"name": "add", "description": "Adds \"numbers\".", "parameters": {"type": "object", "z": 1, "a": [1.0]}}}]
CALL = message("assistant", "") | {"tool_calls": [{"type": "function", "function": {"name": "add", "arguments": {"b": 2, "a": 1}}}]}
RESULT = message("tool", "{\"sum\": 3}")
# TRL takes tools as a list, and as JSON in a string.
TOOL_USE = [
    {"prompt": turns("1 + 2?"), "completion": [CALL, RESULT, message("assistant", "3.")], "tools": json.dumps(TOOLS)},
    {"prompt": [message("system", "Be kind."), *turns("1 + 2?"), CALL, RESULT], "completion": [message("assistant", "3.")], "tools": json.dumps(TOOLS)},
    {"prompt": turns("1 + 2?"), "completion": [message("assistant", "I add.") | {"tool_calls": CALL["tool_calls"]}], "tools": json.dumps(TOOLS)},
]
TOOL_MESSAGES = [{"messages": record["prompt"] + record["completion"], "tools": TOOLS} for record in TOOL_USE]
STRINGS = [
    {"prompt": "What is the capital of France?", "completion": " Paris."},
    {"prompt": "The answer is ", "completion": "yes."},
    {"prompt": "2+2=", "completion": "4"},
    {"prompt": "The answer is", "completion": " no.<|im_end|>"},
    {"prompt": "", "completion": "nothing before it"},
    {"prompt": "nothing after it", "completion": ""},
    {"prompt": "First line\n", "completion": "\nSecond line\n"},
    {"prompt": "日本", "completion": "語 🙂"},
    {"prompt": "12", "completion": "34"},
    {"prompt": "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n", "completion": "Hello!<|im_end|>\n"},
    {"prompt": "long " * 30, "completion": "short"},
    {"prompt": "short", "completion": " long" * 30},
]
TEXTS = ["What is the capital of France? Paris.", "", "ends itself<|im_end|>", "<|im_end|> and goes on", "日本語 🙂 العربية",
         "  \n\n  ", "1234567 8", "<|endoftext|>", "long " * 30]


def tokenizer(with_bos: bool) -> PreTrainedTokenizerFast:
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)])
    bpe.decoder = decoders.ByteLevel()
    bpe.train_from_iterator(CORPUS, trainers.BpeTrainer(
        vocab_size=512, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False,
        special_tokens=[AddedToken(token, special=True, normalized=False) for token in special]))
    assert all(bpe.token_to_id(token) == i for i, token in enumerate(special))
    if with_bos:
        bpe.post_processor = processors.TemplateProcessing(
            single="<|endoftext|> $A", pair="<|endoftext|> $A <|endoftext|> $B", special_tokens=[("<|endoftext|>", 0)])
    result = PreTrainedTokenizerFast(tokenizer_object=bpe, bos_token="<|endoftext|>", eos_token="<|im_end|>",
                                     pad_token="<|endoftext|>", unk_token="<|endoftext|>", model_max_length=128,
                                     clean_up_tokenization_spaces=False)
    result.chat_template = TEMPLATE
    return result


def rows(records: list[dict], tokens: PreTrainedTokenizerFast, options: dict, template: str | None) -> tuple[list[dict], list[int]]:
    """The trainer's own data set. The vocabulary of its model is that of the tokenizer; nothing is trained."""
    tokens = copy.deepcopy(tokens)
    tokens.chat_template = template or tokens.chat_template
    if options.get("assistant_only_loss"):
        tokens.chat_template = MARKED_TEMPLATE
    data = Dataset.from_list([{**record, "record": i} for i, record in enumerate(records)])
    with tempfile.TemporaryDirectory() as folder:
        arguments = SFTConfig(output_dir=folder, use_cpu=True, bf16=False, report_to="none",
                              shuffle_dataset=False, **options)
        trainer = SFTTrainer(model=LlamaForCausalLM(tiny_llama.config(vocab_size=len(tokens))), args=arguments,
                             train_dataset=data, processing_class=tokens)
    kept = [{"record": row["record"], "input_ids": row["input_ids"], "labels": row["labels"]} for row in trainer.train_dataset]
    present = {row["record"] for row in kept}
    return kept, [i for i in range(len(records)) if i not in present]


FILES = {
    "messages": [{"messages": record} for record in MESSAGES],
    "prompt_completion_chat": CHAT,
    "prompt_completion_text": STRINGS,
    "text": [{"text": text} for text in TEXTS],
    "tools": TOOL_USE,
    "tool_messages": TOOL_MESSAGES,
}
SETS = [
    ("messages", "messages", "tokenizer", {"max_length": None}),
    ("messages_assistant_only", "messages", "tokenizer", {"max_length": None, "assistant_only_loss": True}),
    ("prompt_completion_chat", "prompt_completion_chat", "tokenizer", {"max_length": None}),
    ("prompt_completion_chat_all_tokens", "prompt_completion_chat", "tokenizer",
     {"max_length": None, "completion_only_loss": False}),
    ("prompt_completion_text", "prompt_completion_text", "tokenizer", {"max_length": None}),
    ("text", "text", "tokenizer", {"max_length": None}),
    ("prompt_completion_chat_bos", "prompt_completion_chat", "tokenizer_bos", {"max_length": None}),
    ("prompt_completion_text_bos", "prompt_completion_text", "tokenizer_bos", {"max_length": None}),
    ("text_bos", "text", "tokenizer_bos", {"max_length": None}),
    ("prompt_completion_chat_keep_start", "prompt_completion_chat", "tokenizer", {"max_length": 64}),
    ("prompt_completion_chat_keep_end", "prompt_completion_chat", "tokenizer",
     {"max_length": 24, "truncation_mode": "keep_end"}),
    ("prompt_completion_text_keep_start", "prompt_completion_text", "tokenizer", {"max_length": 16}),
    ("messages_assistant_only_keep_start", "messages", "tokenizer", {"max_length": 70, "assistant_only_loss": True}),
    ("messages_keep_end", "messages", "tokenizer", {"max_length": 20, "truncation_mode": "keep_end"}),
    ("tools", "tools", "tokenizer", {"max_length": None}),
    ("tool_messages", "tool_messages", "tokenizer", {"max_length": None}),
]


def packed_rows(records: list[dict], tokens: PreTrainedTokenizerFast, options: dict) -> list[dict]:
    """What the trainer feeds after packing: rows, the lengths of the records in them, and the collator's labels."""
    tokens = copy.deepcopy(tokens)
    tokens.chat_template = MARKED_TEMPLATE
    with tempfile.TemporaryDirectory() as folder:
        arguments = SFTConfig(output_dir=folder, use_cpu=True, bf16=False, report_to="none", shuffle_dataset=False, packing=True, **options)
        trainer = SFTTrainer(model=LlamaForCausalLM(tiny_llama.config(vocab_size=len(tokens))), args=arguments,
                             train_dataset=Dataset.from_list(records), processing_class=tokens)
    rows = list(trainer.train_dataset)
    collated = [trainer.data_collator([row]) for row in rows]
    return [{"seq_lengths": row["seq_lengths"], "input_ids": batch["input_ids"][0].tolist(), "labels": batch["labels"][0].tolist()}
            for row, batch in zip(rows, collated)]


def packing() -> list[dict]:
    """Best-fit-decreasing packing of lengths: which documents (numbers from 0), and how much of each, share a row."""
    cases = []
    for length, sizes in ((8, [5, 3, 8, 1, 2, 7, 4, 4, 6, 2]), (10, [12, 3, 25, 9, 1, 10]), (16, [4] * 9)):
        data = Dataset.from_dict({"input_ids": [[i] * size for i, size in enumerate(sizes)],
                                  "labels": [[i] * size for i, size in enumerate(sizes)]})
        packed = pack_dataset(data, seq_length=length, strategy="bfd")
        cases.append({"max_length": length, "lengths": sizes,
                      "rows": [{"documents": row["input_ids"], "seq_lengths": row["seq_lengths"]} for row in packed]})
    return cases


def main() -> None:
    disable_progress_bars()
    folder = FIXTURES / "sft"
    shutil.rmtree(folder, ignore_errors=True)
    tokenizers = {name: tokenizer(with_bos=name.endswith("bos")) for name in ("tokenizer", "tokenizer_bos")}
    for name, tokens in tokenizers.items():
        tokens.save_pretrained(folder / name)
    for name, records in FILES.items():
        lines = (json.dumps(record, ensure_ascii=False) + "\n" for record in records)
        (folder / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")
    sets = []
    for name, data, tokens, options in SETS:
        template = TEMPLATES["chatml with tools"] if "tool" in data else None
        kept, dropped = rows(FILES[data], tokenizers[tokens], options, template)
        sets.append({"name": name, "data": f"{data}.jsonl", "tokenizer": tokens, "chat_template": template, "options": options, "rows": kept,
                     "dropped": dropped})
        print(f"{name}: {len(kept)} rows, dropped {dropped}, supervised {[sum(l != -100 for l in r['labels']) for r in kept]}")
    write_json(folder / "expected.json", {"sets": sets}, __file__)
    trained = [{"data": "messages.jsonl", "options": options, "rows": packed_rows(FILES["messages"], tokenizers["tokenizer"], options)}
               for options in ({"max_length": 128, "assistant_only_loss": True}, {"max_length": 96, "assistant_only_loss": False})]
    write_json(folder / "packing.json", {"cases": packing(), "trained": trained}, __file__)


if __name__ == "__main__":
    main()
