#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares graft's tokenizers with Hugging Face's on hard strings, and makes the fixtures of the unit tests.

    python3 tokenizer_corpus.py fixtures                       # writes tests/fixtures/text/
    python3 tokenizer_corpus.py compare TOOL [MODEL.gguf …]    # TOOL: tokenizer_ids.cpp, compiled

Needs tokenizers, transformers and gguf from PyPI (and sentencepiece for GGUF files that merge by score).
"""
import hashlib
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

FIXTURES = pathlib.Path(os.environ.get("GRAFT_FIXTURES", pathlib.Path(__file__).resolve().parent.parent / "fixtures")) / "text"

GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
          r"|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")

HAND_MADE = [
    "", " ", "  ", "\n", "\t", "\r\n", "a", " a", "a ", " a ", "a  b", "a   b  \n \n  c", "1234567", "12 345 6789 0",
    "'LLama", "'ll 'LL 'Ll 's 'S 'ſ 'ſx 'st 'RE 're'VE 'd'D 'm'M'T", "don't DON'T we'll WE'LL I'm I'M you're y'all",
    "'", "''", "' s", "'\u0301s", "x'", "can’t won’t ‘quoted’ “double”", "e\u0301 é e\u0301\u0323 \u1e69 s\u0323\u0307 s\u0307\u0323",
    "\u00a0a \u00a0\u00a0b\u200bc \u200b d\u2028e\u2029f\u3000g\u205fh\u1680i\x85j\x0bk\x0cl\x1cm\x1dn\x1eo\x1fp",
    "int main() {\n\treturn 0;\r\n}\n\n\n", "def f(x):\n    if x == 1:\n        return [i**2 for i in range(10)]  # square\n",
    "https://example.org/a/b?c=d&e=f#g user.name+tag@mail.example", "<a href=\"x\">&amp;</a><!-- c -->",
    "Ünïcödé ÀÉÎÕÜ ßẞ ﬁﬂ ŉ ǆ İı", "日本語テキスト、カタカナ。ひらがな「引用」", "한국어 텍스트 각 \u1100\u1161\u11a8 \u1112\u1161\u11ab",
    "中文文本，标点符号。１２３ 四五六 ㊀ Ⅷ ½ ² ③ 〇", "العربية ١٢٣ مرحبا بالعالم ‏RTL‎", "עברית שָׁלוֹם 456", "हिन्दी १२३ क्षत्रिय",
    "ไทย ๑๒๓ ภาษาไทย", "русский ёжик Й и\u0306", "Ελληνικά άέή ά", "𝒜𝓁𝑔𝑒𝒷𝓇𝒶 𝟙𝟚𝟛 🄰 𐐷𐐀", "😀😃 👨‍👩‍👧‍👦 🏳️‍🌈 👍🏽 🇩🇪🇫🇷 ☺️ 1️⃣ #️⃣",
    "\ufeffBOM \ufffd \ufffe\uffff \U0010ffff \U000e0001 \x00 \x01 \x7f", "a\u0300\u0301\u0302\u0303\u0304" * 3,
    "\u212b \u2126 \u2000 \u2001 \ufb1d \u0958 \u0344 \u0340 \u037e \u1fef \ufa10 \U0002f800 \U0001d15e",
    "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n", "<|im_start|", "<|im_end|><|im_end|>", "<|endoftext|>x <s> </s> <unk> <pad>",
    "<bos><start_of_turn>user\nhi<end_of_turn>\n", "<0x0A> <0x41><0xE2><0x82>", "▁ ▁▁a▁b ▁", " <mask> <mask>  a", "a <mask>b",
    "x <right>   y <right>\n\nz", "<word> a<word> <word>b é<word> <word>_ (<word>)", "<think>a</think><think>", "<THINK>",
    "xx<join><joined>yy", "Å<norm>Å A\u030a<norm>", "e\u0301x É́́ \u00c5\u030a", "\t\t  \t<mask>\t\t", "    \n    \n\n   \n",
    "...!!!???---___***", "$1,234.56 -7e-10 0xDEADBEEF 3.14159 1_000_000 50% №5", "a" * 300, " " * 300 + "x", "\n" * 100, "ab" * 200,
    "!" * 200, "9" * 100, "\u0301" * 50, "é" * 100, "字" * 100, "\r\n" * 50 + "x", (" \n" * 40) + "y", "😀" * 40, "aA1 !" * 40,
    "\U00011f50\U00011de5 \U00016ff4 \U0001ccf0 \u1c89 \ua7cb \U00010d4a",
]


def hard_strings(seed=7, count=2600):
    rng = random.Random(seed)
    planes = [(0x20, 0x7F), (0xA0, 0x24F), (0x250, 0x52F), (0x530, 0x11FF), (0x1200, 0x1FFF), (0x2000, 0x2BFF), (0x2C00, 0xA4CF),
              (0xA4D0, 0xD7FF), (0xE000, 0xFFFF), (0x10000, 0x12FFF), (0x13000, 0x1BFFF), (0x1C000, 0x1FAFF), (0x20000, 0x323AF),
              (0xE0000, 0xE01FF), (0xF0000, 0x10FFFF)]
    spaces = [" ", "  ", "   ", "\t", "\n", "\n\n", "\r\n", "\r", "\u00a0", "\u2003", "\u3000", "\u2028", "\x0b", "\x85", "\u200b"]
    marks = [chr(c) for c in (*range(0x300, 0x315), 0x323, 0x327, 0x328, 0x334, 0x338, 0x345, 0x5B4, 0x5BC, 0x64E, 0x651, 0x93C, 0x94D,
                              0xE34, 0x1DC4, 0x20D0, 0x302A, 0x3099, 0x309A, 0xFE0F, 0x1D165, 0x1E8D0)]
    words = "the of and to in is that it was for hello world return class void import print function don't I'm we've THE A".split()
    specials = ["<|im_start|>", "<|im_end|>", "<|endoftext|>", "<mask>", "<right>", "<word>", "<think>", "<norm>", "<join>", "<joined>",
                "<bos>", "<eos>", "<|im_", "|>", "▁", "<0x41>", "<s>", "<unk>", "<start_of_turn>", "\n\n\n", "<h1>"]
    emoji = ["😀", "👍🏽", "👨‍👩‍👧", "🏳️‍🌈", "🇩🇪", "1️⃣", "❤️", "☺"]

    def char():
        low, high = rng.choice(planes)
        c = rng.randint(low, high)
        return chr(c) if not 0xD800 <= c < 0xE000 else "x"

    kinds = [lambda: char(), lambda: char() + "".join(rng.choice(marks) for _ in range(rng.randint(1, 4))),
             lambda: rng.choice(spaces) * rng.randint(1, 4), lambda: rng.choice(words), lambda: " " + rng.choice(words),
             lambda: str(rng.randint(0, 10 ** rng.randint(1, 12))), lambda: rng.choice(specials), lambda: rng.choice(emoji),
             lambda: rng.choice("'\"!?.,;:-_()[]{}<>/\\|@#$%^&*+=~`") * rng.randint(1, 5),
             lambda: "'" + rng.choice(["s", "S", "T", "re", "LL", "ſ", "ve", "d", "M", "x"]),
             lambda: "".join(chr(rng.choice([0x1100, 0x1161, 0x11A8, 0xAC00, 0xAC01, 0x3042, 0x4E00])) for _ in range(3))]
    lines = list(HAND_MADE)
    # Every assigned region once, in runs, so that each code point below the private planes is met beside a letter.
    while len(lines) < count:
        weights = [rng.random() for _ in kinds]
        lines.append("".join(rng.choices(kinds, weights)[0]() for _ in range(rng.randint(1, 24))))
    return lines


def every_code_point():
    points = [c for c in [*range(0x323B0), *range(0xE0000, 0xE0200)] if not 0xD800 <= c < 0xE000]
    return ["'".join(chr(c) for c in points[i:i + 64]) + "a" for i in range(0, len(points), 64)] + \
           ["a ".join(chr(c) for c in points[i:i + 64]) for i in range(0, len(points), 64)]


def added_tokens(extra=()):
    def special(content, **flags):
        return AddedToken(content, special=True, normalized=False, **flags)
    return [special("<|endoftext|>"), special("<|im_start|>"), special("<|im_end|>"), special("<mask>", lstrip=True),
            special("<right>", rstrip=True), special("<word>", single_word=True), AddedToken("<think>", normalized=False),
            AddedToken("<join>", normalized=False), AddedToken("<joined>", normalized=False),
            AddedToken("Å<norm>", normalized=True), *extra]


def training_text():
    rng = random.Random(3)
    syllables = "ka to mi ran sel dor ing est the and er on at re in es ti al en".split()
    return [" ".join("".join(rng.choices(syllables, k=rng.randint(1, 3))) for _ in range(12)) + "." for _ in range(400)] + HAND_MADE


def train(kind):
    """A small tokenizer with the steps of `kind` and every kind of added token."""
    t = Tokenizer(models.BPE())
    if kind == "sentencepiece":
        t.normalizer = normalizers.Replace(" ", "▁")
        t.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")  # for training only, else it learns whole lines
        t.train_from_iterator(training_text(), trainers.BpeTrainer(vocab_size=700, show_progress=False, max_token_length=12))
        learnt = json.loads(t.to_str())["model"]
        tokens = ["<pad>", "<eos>", "<bos>", "<unk>"] + [f"<0x{b:02X}>" for b in range(256)]
        # Rare characters are left out, so that bytes are needed.
        kept = [w for w in sorted(learnt["vocab"], key=learnt["vocab"].get) if all(ord(c) < 0x500 or c in "▁日本語" for c in w)]
        vocab = {w: i for i, w in enumerate(tokens + kept)}
        merges = [(a, b) for a, b in learnt["merges"] if a + b in vocab and a in vocab and b in vocab]
        t = Tokenizer(models.BPE(vocab=vocab, merges=merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
        t.normalizer = normalizers.Replace(" ", "▁")
        t.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
        t.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
        t.post_processor = processors.TemplateProcessing(single="<bos> $A", pair="<bos> $A <bos>:1 $B:1",
                                                         special_tokens=[("<bos>", vocab["<bos>"])])
        named = [AddedToken(w, special=True, normalized=False) for w in ("<pad>", "<eos>", "<bos>", "<unk>")]
        t.add_tokens(added_tokens([*named, AddedToken("\n\n", normalized=False), AddedToken("  ", normalized=False)]))
        return t
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=kind in ("gpt2", "smollm"))
    first = {"gpt2": None, "smollm": pre_tokenizers.Digits(individual_digits=True),
             "llama3": pre_tokenizers.Split(Regex(LLAMA3), "isolated"), "qwen2": pre_tokenizers.Split(Regex(QWEN2), "isolated")}[kind]
    t.pre_tokenizer = pre_tokenizers.Sequence([first, byte_level]) if first else byte_level
    if kind == "qwen2":
        t.normalizer = normalizers.NFC()
    t.decoder = decoders.ByteLevel()
    t.train_from_iterator(training_text(), trainers.BpeTrainer(
        vocab_size=640, show_progress=False, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet())))
    if kind == "llama3":
        # Words that merges cannot reach, for ignore_merges.
        state = json.loads(t.to_str())
        state["model"]["ignore_merges"] = True
        for word in ("Ġworldwide", "ĠÃ¼ber", "12"):
            state["model"]["vocab"].setdefault(word, len(state["model"]["vocab"]))
        t = Tokenizer.from_str(json.dumps(state))
        t.add_tokens([AddedToken("<bos>", special=True, normalized=False)])
        t.post_processor = processors.TemplateProcessing(single="<bos> $A", special_tokens=[("<bos>", t.token_to_id("<bos>"))])
    else:
        t.post_processor = processors.ByteLevel(trim_offsets=False)
    t.add_tokens(added_tokens())
    return t


KINDS = ["gpt2", "smollm", "llama3", "qwen2", "sentencepiece"]


def save(t, kind, folder):
    state = json.loads(t.to_str())
    if kind == "smollm":  # one file keeps the older way of writing merges
        state["model"]["merges"] = [" ".join(m) for m in state["model"]["merges"]]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tokenizer.json").write_text(json.dumps(state, ensure_ascii=False, separators=(",", ":")))
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 2048, "clean_up_tokenization_spaces": False,
              "eos_token": "<eos>" if kind == "sentencepiece" else "<|im_end|>"}
    if kind in ("llama3", "sentencepiece"):
        config["bos_token"] = {"content": "<bos>", "lstrip": False, "normalized": False, "rstrip": False, "single_word": False}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))


def write_fixtures():
    lines = hard_strings()
    rng = random.Random(11)
    chosen = HAND_MADE + [s[:40] for s in rng.sample(lines[len(HAND_MADE):], 220)]
    FIXTURES.mkdir(parents=True, exist_ok=True)
    (FIXTURES / "hard_strings.json").write_text(json.dumps(chosen, separators=(",", ":")))
    for kind in KINDS:
        t = train(kind)
        save(t, kind, FIXTURES / kind)
        t = Tokenizer.from_file(str(FIXTURES / kind / "tokenizer.json"))
        ids = [t.encode(s, add_special_tokens=False).ids for s in chosen]
        t.encode_special_tokens = True
        plain = [t.encode(s, add_special_tokens=False).ids for s in chosen]
        decoded = [t.decode(i, skip_special_tokens=False) for i in ids]
        out = {"size": t.get_vocab_size(), "ids": ids, "plain": {i: p for i, p in enumerate(plain) if p != ids[i]},
               "decoded": {i: d for i, d in enumerate(decoded) if d != chosen[i] and "Å<norm>" not in chosen[i]}}
        (FIXTURES / kind / "expected.json").write_text(json.dumps(out, separators=(",", ":")))
    decompositions = [s[:60] for s in lines if normalizers.NFC().normalize_str(s) != s][:120]
    (FIXTURES / "nfc.json").write_text(json.dumps([[s, normalizers.NFC().normalize_str(s)] for s in decompositions],
                                                  separators=(",", ":")))


def run(tool, source, lines, *flags):
    done = subprocess.run([tool, source, *flags], input="".join(json.dumps(s) + "\n" for s in lines), capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{source}: {done.stderr}")
    return [json.loads(line) for line in done.stdout.split("\n") if line], done.stderr.strip().splitlines()[-1]


def report(name, lines, ours, theirs):
    different = [i for i in range(len(lines)) if ours[i] != theirs[i]]
    print(f"{name}: {len(lines) - len(different)} of {len(lines)} equal")
    for i in different[:3]:
        print("   ", ascii(lines[i])[:200], "\n      graft", str(ours[i])[:200], "\n      other", str(theirs[i])[:200])


def check(tool, name, source, t, lines):
    theirs = [e.ids for e in t.encode_batch(lines, add_special_tokens=False)]
    ours, time = run(tool, source, lines)
    report(f"{name}, ids", lines, ours, theirs)
    print("   ", time)
    decoded, _ = run(tool, source, theirs, "--decode")
    report(f"{name}, decoded", theirs, [d[0] for d in decoded], t.decode_batch(theirs, skip_special_tokens=False))
    t.encode_special_tokens = True
    report(f"{name}, specials as text", lines, run(tool, source, lines, "--plain")[0],
           [e.ids for e in t.encode_batch(lines, add_special_tokens=False)])
    t.encode_special_tokens = False
    report(f"{name}, with BOS and EOS", lines, run(tool, source, lines, "--special")[0], [e.ids for e in t.encode_batch(lines)])
    with tempfile.TemporaryDirectory() as folder:
        from transformers import AutoTokenizer
        run(tool, source, [], *(["--rank"] if "by rank" in name else []), "--write", folder)
        again = AutoTokenizer.from_pretrained(folder)
        report(f"{name}, written and loaded by transformers", lines, again(lines)["input_ids"],
               [e.ids for e in t.encode_batch(lines)])


def gguf_fields(path):
    from gguf import GGUFReader
    reader = GGUFReader(path)
    return {k: f.contents() for k, f in reader.fields.items() if k.startswith("tokenizer.ggml.")
            and not k.endswith("pre")} | {"pre": reader.fields["tokenizer.ggml.pre"].contents()}


def gguf_oracle(fields):
    """A `tokenizers` object from the metadata of a GGUF file, put together by hand."""
    tokens, types = fields["tokenizer.ggml.tokens"], fields["tokenizer.ggml.token_type"]
    vocab = {w: i for i, w in enumerate(tokens)}
    if fields["tokenizer.ggml.model"] == "gpt2":
        assert fields["pre"] == "smollm"
        t = Tokenizer(models.BPE(vocab=vocab, merges=[tuple(m.split(" ")) for m in fields["tokenizer.ggml.merges"]]))
        t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True),
                                                   pre_tokenizers.ByteLevel(add_prefix_space=False)])
        t.decoder = decoders.ByteLevel()
    else:
        from transformers.tokenization_utils_base import generate_merges
        scores = dict(zip(tokens, fields["tokenizer.ggml.scores"]))
        skip = [w for w, k in zip(tokens, types) if k in (2, 3)]
        t = Tokenizer(models.BPE(vocab=vocab, merges=generate_merges(vocab, scores, skip), unk_token="<unk>", fuse_unk=True,
                                 byte_fallback=True))
        t.normalizer = normalizers.Replace(" ", "▁")
        t.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
        bos = fields["tokenizer.ggml.bos_token_id"]
        t.post_processor = processors.TemplateProcessing(single=f"{tokens[bos]} $A", special_tokens=[(tokens[bos], bos)])
    t.add_tokens([AddedToken(w, special=k != 4, normalized=False) for w, k in zip(tokens, types) if k in (2, 3, 4)])
    return t


def sentencepiece_oracle(fields):
    """The library that defines merging by score, on a model file made from the metadata."""
    import sentencepiece
    from sentencepiece import sentencepiece_model_pb2 as proto
    model = proto.ModelProto()
    model.trainer_spec.model_type = 2
    model.trainer_spec.byte_fallback = True
    for name in ("unk", "bos", "eos", "pad"):
        key = {"unk": "unknown", "pad": "padding"}.get(name, name)
        setattr(model.trainer_spec, f"{name}_id", fields[f"tokenizer.ggml.{key}_token_id"])
    model.trainer_spec.unk_piece, model.trainer_spec.bos_piece = "<unk>", "<bos>"
    model.trainer_spec.eos_piece, model.trainer_spec.pad_piece = "<eos>", "<pad>"
    model.normalizer_spec.name = "identity"
    model.normalizer_spec.add_dummy_prefix = False
    model.normalizer_spec.remove_extra_whitespaces = False
    model.normalizer_spec.escape_whitespaces = True
    for token, score, kind in zip(fields["tokenizer.ggml.tokens"], fields["tokenizer.ggml.scores"], fields["tokenizer.ggml.token_type"]):
        kind = 2 if token == "<unk>" else kind
        model.pieces.add(piece=token.replace(" ", "▁"), score=score, type=kind)
    return sentencepiece.SentencePieceProcessor(model_proto=model.SerializeToString())


def compare(tool, files):
    lines = hard_strings()
    more = lines + every_code_point()
    print(len(more), "strings,", sum(len(s.encode()) for s in more), "bytes,", hashlib.sha256("\n".join(more).encode()).hexdigest()[:16])
    for kind in KINDS:
        with tempfile.TemporaryDirectory() as folder:
            t = train(kind)
            save(t, kind, pathlib.Path(folder))
            check(tool, kind, folder, Tokenizer.from_file(folder + "/tokenizer.json"), more)
            if kind == "qwen2":
                nfc = normalizers.NFC()
                report("NFC", more, run(tool, folder, more, "--nfc")[0], [nfc.normalize_str(s) for s in more])
    for path in files:
        fields = gguf_fields(path)
        t = gguf_oracle(fields)
        name = pathlib.Path(path).name
        if fields["tokenizer.ggml.model"] == "gpt2":
            check(tool, name, path, t, more)
            continue
        theirs = [e.ids for e in t.encode_batch(more, add_special_tokens=False)]
        report(f"{name}, by rank, against tokenizers", more, run(tool, path, more, "--rank")[0], theirs)
        ours, time = run(tool, path, more)
        print("   ", time)
        # SentencePiece knows no special tokens in text, drops U+0000 and has no way to spell a U+2581 that is not a blank.
        plain = [s for s in more if "\0" not in s and "▁" not in s and "<" not in s]
        ours, _ = run(tool, path, plain)
        report(f"{name}, by score, against sentencepiece", plain, ours, sentencepiece_oracle(fields).encode(plain))
        report(f"{name}, by score, against tokenizers by rank", more, run(tool, path, more)[0], theirs)
        decoded, _ = run(tool, path, theirs, "--decode")
        report(f"{name}, decoded", theirs, [d[0] for d in decoded], t.decode_batch(theirs, skip_special_tokens=False))
        with tempfile.TemporaryDirectory() as folder:
            from transformers import AutoTokenizer
            run(tool, path, [], "--write", folder)
            again = AutoTokenizer.from_pretrained(folder)
            report(f"{name}, written and loaded by transformers", more, again(more)["input_ids"],
                   [e.ids for e in t.encode_batch(more)])


if __name__ == "__main__":
    if sys.argv[1:2] == ["fixtures"]:
        write_fixtures()
    elif sys.argv[1:2] == ["compare"] and len(sys.argv) > 2:
        compare(sys.argv[2], sys.argv[3:])
    else:
        sys.exit(__doc__)
