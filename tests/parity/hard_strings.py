# SPDX-License-Identifier: Apache-2.0
"""Prints {"text": ...} lines that tokenizers get wrong: a fixed list and seeded random mixtures of every kind.

    python tests/parity/hard_strings.py [COUNT] > hard_strings.jsonl      (default 2400 lines, the same every time)
    ... real_smollm2.py tokenize < hard_strings.jsonl ; graft tokenize --model FILE < hard_strings.jsonl
"""

import json
import random
import sys

FIXED = [
    "", " ", "  ", "\n", "\r\n", "\t", "\u00a0", "\u3000", "\u200b", "a", " a", "a ", "  a  ", "\n\n\n", " \n ", "\n \n  x",
    "Hello, world!", "I'll we've they're don't can't I'M YOU'RE it's 'tis 'S 'LL", "'s't're've'm'll'd", "’s ‘quoted’ “double”",
    "1", "12", "123", "1234567890", "3.14159", "1,000,000", "0x1F", "1e-10", "٣٤٥", "Ⅷ", "½", "²³", "①②③", "१२३", "𝟙𝟚",
    "café", "cafe\u0301", "ﬁne", "ﬀ", "ß ẞ", "İstanbul ıI", "ſecret 'ſ", "naïve façade", "ÅÅ", "Ångström",
    "日本語のテキスト", "你好，世界！", "한국어 텍스트", "ภาษาไทย", "हिन्दी में", "русский текст", "Ελληνικά", "עברית", "العربية", "فارسی‌ها",
    "🙂", "🙂🙂", "👨‍👩‍👧‍👦", "🏳️‍🌈", "👍🏽", "🇫🇷🇩🇪", "❤️", "☎︎", "a🙂b", " 🙂 ", "𐍈", "𓀀", "\U0010ffff", "\ufeff", "\ufffd", "\u0000", "\u007f\u0080",
    "z̸̡a̷̛l̵g̶o̵", "\u202eright to left\u202c", "a\u0300\u0301\u0302\u0303", "\u200d", "\u00ad", "e\u200be",
    "def f(x):\n    return x ** 2\n", "for (int i = 0; i < n; ++i) { a[i] += b[i]; }", "<div class=\"x\">&nbsp;</div>", "SELECT * FROM t WHERE a='b';",
    "{\"a\": [1, 2.5, null], \"b\": {\"c\": \"d\\n\"}}", "$\\frac{1}{2}$", "http://example.com/a?b=c&d=%20#e", "user@example.com", "C:\\path\\to\\file", "#!/bin/sh\n\techo \"$HOME\"",
    "<|im_start|>", "<|im_end|>", "<|endoftext|>", "<|im_start|>user\nHi<|im_end|>\n", "<|im_start|><|im_start|>", " <|im_end|> ", "<|im_end|", "|im_end|>", "<|IM_END|>", "<| im_end |>",
    "<|im_end|>x<|endoftext|>", "<repo_name>", "<reponame>", "<file_sep>", "<filename>a.py", "<issue_start>", "<jupyter_code>", "<empty_output>", "<gh_stars>", "Ġ", "Ċ", "Ġthe", "▁the", "<0x0A>", "\\n",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "ababababababab", "........", "-----", "!!!???", "____", "=" * 70, " " * 70, "\t" * 9, "\n" * 9, "a" * 300, "9" * 40, "🙂" * 12,
    "supercalifragilisticexpialidocious", "ThisIsCamelCase", "snake_case_name", "kebab-case", "ALL CAPS", "MiXeD", "x=1;y=2", "a.b.c", "...and", "(a)(b)", "a\u2028b\u2029c", "a\u0085b", "a\x0bb\x0cc", "\x1b[31m",
]
SPECIAL = ["<|im_start|>", "<|im_end|>", "<|endoftext|>", "<file_sep>", "<|im_end", "im_start|>", "<|", "|>"]
WORDS = "the and of to Paris answer function return self print café über 漢字 мир 'll 've n't I'm 2024 3.14 foo_bar HTTPServer".split()
SPACES = [" ", "  ", "   ", "\n", "\n\n", "\r\n", "\t", "\u00a0", "\u2003", "\u3000", "\u2028", ""]
JOINERS = ["\u200d", "\ufe0f", "\u0301", "\u0308", "\u20e3", "\U0001f3fd", "\u093f", "\u0651", "\u200b"]
RANGES = [(0x21, 0x7E), (0x80, 0xFF), (0x100, 0x24F), (0x300, 0x36F), (0x370, 0x52F), (0x590, 0x6FF), (0x900, 0x97F), (0xE00, 0xE7F),
          (0x1100, 0x11FF), (0x2000, 0x206F), (0x20A0, 0x2BFF), (0x3040, 0x30FF), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3), (0xFB00, 0xFDFF),
          (0x10000, 0x103FF), (0x1D400, 0x1D7FF), (0x1F300, 0x1FAFF), (0x20000, 0x2A6DF), (0xE0000, 0xE007F), (0x100000, 0x10FFFD)]


def symbol(draw: random.Random) -> str:
    first, last = draw.choice(RANGES)
    return chr(draw.randint(first, last))


def piece(draw: random.Random) -> str:
    return draw.choice([
        lambda: draw.choice(WORDS), lambda: draw.choice(SPACES), lambda: symbol(draw), lambda: draw.choice(JOINERS),
        lambda: draw.choice(SPECIAL), lambda: str(draw.randint(0, 10 ** draw.randint(1, 12))),
        lambda: "".join(draw.choice("(){}[]<>=+-*/%&|!?.,:;'\"`~^#@$\\_") for _ in range(draw.randint(1, 5))),
        lambda: "".join(symbol(draw) for _ in range(draw.randint(1, 6))),
        lambda: "".join(draw.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(draw.randint(1, 12))),
        lambda: bytes(draw.randrange(256) for _ in range(draw.randint(1, 8))).decode("utf-8", "replace"),
    ])()


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2400
    draw = random.Random(800)
    lines = list(FIXED)
    while len(lines) < count:
        lines.append("".join(piece(draw) for _ in range(draw.randint(1, 25))))
    for text in lines[:count]:
        print(json.dumps({"text": text}))


if __name__ == "__main__":
    main()
