#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes include/graft/text/{class_tables,nfc_tables}.hpp.

The classes and the normal form are read out of Hugging Face's `tokenizers` itself, code point by code point, because
equal token ids are the aim and each of its parts carries its own Unicode version. Only the numbers of the combining
classes, which Unicode never changes, come from `unicodedata2`; which characters have one is again asked of `tokenizers`.

    pip install tokenizers unicodedata2 && python3 scripts/make_unicode_tables.py
"""
import pathlib
import textwrap

import tokenizers
import unicodedata2
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers

CODE_POINTS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
FOLDER = pathlib.Path(__file__).resolve().parent.parent / "include/graft/text"


def regex_class(pattern):
    """Code points that a regex of one character matches: what `Replace` leaves out of the text."""
    gone = normalizers.Replace(Regex(pattern), "")
    found = set()
    for i in range(0, len(CODE_POINTS), 4096):
        chunk = CODE_POINTS[i:i + 4096]
        found |= set(chunk) - set(map(ord, gone.normalize_str("".join(map(chr, chunk)))))
    return found


def digits_class():
    """Code points that the `Digits` step isolates."""
    digits = pre_tokenizers.Digits(individual_digits=True)
    found = set()
    for i in range(0, len(CODE_POINTS), 4096):
        text = "a" + "".join(chr(c) + "a" for c in CODE_POINTS[i:i + 4096] if c != ord("a"))
        found |= {ord(piece) for piece, _ in digits.pre_tokenize_str(text) if len(piece) == 1 and piece != "a"}
    return found


def word_class():
    """Code points that forbid a `single_word` added token beside them."""
    tokenizer = Tokenizer(models.BPE(vocab={"x": 0}, merges=[]))
    tokenizer.add_tokens([AddedToken("<X>", single_word=True, normalized=False)])
    found = set()
    for i in range(0, len(CODE_POINTS), 65536):
        chunk = CODE_POINTS[i:i + 65536]
        for c, e in zip(chunk, tokenizer.encode_batch([chr(c) + "<X>" for c in chunk])):
            if 1 not in e.ids:
                found.add(c)
    return found


def ranges(points):
    flat = []
    for c in sorted(points):
        if flat and flat[-1] == c:
            flat[-1] = c + 1
        else:
            flat += [c, c + 1]
    return flat


def canonical():
    nfd, nfc = normalizers.NFD().normalize_str, normalizers.NFC().normalize_str
    singletons, excluded, compositions = [], [], []
    run = -1  # where the count of the present run of singletons stands
    for c in CODE_POINTS:
        if 0xAC00 <= c < 0xD7A4:  # Hangul syllables follow a formula
            continue
        full = nfd(chr(c))
        if full == chr(c):
            continue
        if len(full) == 1:
            if run < 0 or singletons[run - 1] + singletons[run] != c:
                singletons += [c, 0]
                run = len(singletons) - 1
            singletons[run] += 1
            singletons.append(ord(full))
        elif nfc(full) == chr(c):
            first = nfc(full[:-1])
            assert len(first) == 1
            compositions += [c, ord(first), ord(full[-1])]
        else:
            excluded += [c, len(full)] + [ord(x) for x in full]
    classes = []  # begin, end, combining class
    for c in CODE_POINTS:
        value = unicodedata2.combining(chr(c))
        # A mark is known to the library if it is put in order with U+0334 (class 1) or U+0345 (class 240).
        if value == 0 or (nfd(chr(c) + "\u0334") == chr(c) + "\u0334" and nfd("\u0345" + chr(c)) == "\u0345" + chr(c)):
            continue
        if classes and classes[-2] == c and classes[-1] == value:
            classes[-2] = c + 1
        else:
            classes += [c, c + 1, value]
    return singletons, excluded, compositions, classes


def array(name, comment, values):
    body = textwrap.fill(",".join(map(str, values)).replace(",", ", "), 118, initial_indent="    ",
                         subsequent_indent="    ").replace(", ", ",")
    return f"/// {comment}\ninline constexpr std::uint32_t {name}[] = {{\n{body}}};\n"


def write(name, arrays):
    (FOLDER / name).write_text(
        "// SPDX-License-Identifier: Apache-2.0\n"
        f"// Made by scripts/make_unicode_tables.py from tokenizers {tokenizers.__version__}. Do not edit.\n"
        "#pragma once\n\n#include <cstdint>\n\nnamespace graft::detail {\n\n// clang-format off\n"
        + "\n".join(arrays) + "// clang-format on\n\n}  // namespace graft::detail\n")


def main():
    letters, numbers, spaces = regex_class(r"\p{L}"), regex_class(r"\p{N}"), regex_class(r"\s")
    digits, words = digits_class(), word_class()
    assert numbers <= digits
    print(len(letters), "letters,", len(numbers), "numbers,", len(spaces), "spaces,", len(digits), "digits,",
          len(words), "word characters")
    half_open = "as half-open ranges: begin, end, begin, end, …"
    write("class_tables.hpp", [
        array("letter_ranges", f"\\p{{L}} of the regular expressions, {half_open}", ranges(letters)),
        array("number_ranges", f"\\p{{N}} of the regular expressions, {half_open}", ranges(numbers)),
        array("space_ranges", f"\\s, {half_open}", ranges(spaces)),
        array("digit_step_ranges", "What the `Digits` step isolates beyond \\p{N} (its Unicode is newer).",
              ranges(digits - numbers)),
        array("word_ranges", f"\\w of `single_word`, {half_open}", ranges(words))])
    singletons, excluded, compositions, classes = canonical()
    print(len(classes) // 3, "class ranges,", len(compositions) // 3, "compositions")
    write("nfc_tables.hpp", [
        array("canonical_pairs", "Composite, first, second; Hangul left out.", compositions),
        array("canonical_singletons", "Runs of code points with one other in their place: begin, count, targets.",
              singletons),
        array("canonical_exclusions", "Never composed again: code point, length, full decomposition.", excluded),
        array("combining_class_ranges", "Begin, end, canonical combining class.", classes)])


if __name__ == "__main__":
    main()
