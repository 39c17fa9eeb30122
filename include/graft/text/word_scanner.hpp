// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/text/tokenizer_spec.hpp>
#include <graft/text/unicode_class.hpp>
#include <graft/text/utf8.hpp>

#include <string_view>

namespace graft::detail {

/// Cuts valid UTF-8 into words as the regular expressions of byte-level BPE do, by hand and in linear time. In words,
/// L = \p{L}, N = \p{N}, S = \s, other = none of them:
///   GPT-2    's|'t|'re|'ve|'m|'ll|'d | ?L+ | ?N+ | ?other+ |\s+(?!\S)|\s+
///   Llama 3  (?i:the same)|[^\r\nLN]?L+|N{1,3}| ?other+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+     (Qwen 2: N for N{1,3})
class WordScanner {
 public:
  explicit WordScanner(std::string_view text) : text_(text), size_(static_cast<Index>(text.size())) {}

  /// End of the word that begins at `at` by GPT-2's pattern.
  [[nodiscard]] Index gpt2(Index at) const {
    if (Index const end = contraction(at, false); end > at) return end;
    Index const start = text_[static_cast<std::size_t>(at)] == ' ' ? at + 1 : at;
    if (start < size_)
      for (std::uint8_t const kind : {char_class::letter, char_class::number, std::uint8_t{0}})
        if (kind_at(start).kind == kind) return run_end(start, kind);
    return space_end(at);
  }

  /// End of the word that begins at `at` by Llama 3's pattern with numbers of at most `max_digits`.
  [[nodiscard]] Index llama3(Index at, int max_digits) const {
    if (Index const end = contraction(at, true); end > at) return end;
    Kind const first = kind_at(at);
    if (first.kind == char_class::letter) return run_end(at, char_class::letter);
    if (first.kind == char_class::number) return run_end(at, char_class::number, max_digits);
    Index const next = at + first.length;
    bool const next_exists = next < size_;
    if (!is_line_end(at) && next_exists && kind_at(next).kind == char_class::letter)
      return run_end(next, char_class::letter);
    Index const start = text_[static_cast<std::size_t>(at)] == ' ' ? next : at;
    if (start < size_ && kind_at(start).kind == 0) {
      Index end = run_end(start, 0);
      while (end < size_ && is_line_end(end)) ++end;
      return end;
    }
    Index line_end = at;
    Index const end = run_end(at, char_class::space);
    for (Index i = at; i < end; ++i)
      if (is_line_end(i)) line_end = i + 1;
    return line_end > at ? line_end : space_end(at);
  }

  /// End of the run of characters that the `Digits` step leaves whole, or of the one character that it isolates.
  [[nodiscard]] Index digit_step(Index at) const {
    Index end = at;
    while (end < size_) {
      Utf8Step const step = utf8_step(text_, end);
      if (unicode_class(step.value) & char_class::digit_step) return end == at ? end + step.length : end;
      end += step.length;
    }
    return end;
  }

 private:
  struct Kind {
    std::uint8_t kind;  ///< letter, number, space or 0 for any other
    Index length;
  };

  [[nodiscard]] Kind kind_at(Index at) const {
    Utf8Step const step = utf8_step(text_, at);
    constexpr int mask = char_class::letter | char_class::number | char_class::space;
    return {static_cast<std::uint8_t>(unicode_class(step.value) & mask), step.length};
  }

  [[nodiscard]] bool is_line_end(Index at) const {
    char const c = text_[static_cast<std::size_t>(at)];
    return c == '\r' || c == '\n';
  }

  [[nodiscard]] Index run_end(Index at, std::uint8_t kind, int limit = 0) const {
    for (int count = 0; at < size_ && (limit == 0 || count < limit); ++count) {
      Kind const here = kind_at(at);
      if (here.kind != kind) break;
      at += here.length;
    }
    return at;
  }

  /// White space: all of it at the end of the text, else all but the last character, which goes to the next word.
  [[nodiscard]] Index space_end(Index at) const {
    Index const end = run_end(at, char_class::space);
    if (end == size_) return end;
    Index const last = previous_code_point(text_, end);
    return last > at ? last : end;
  }

  /// End of 's, 't, 're, 've, 'm, 'll or 'd; `at` if there is none.
  [[nodiscard]] Index contraction(Index at, bool ignore_case) const {
    std::string_view const rest = text_.substr(static_cast<std::size_t>(at), 3);
    if (rest.size() < 2 || rest[0] != '\'') return at;
    auto const letter = [&](std::size_t i) {
      char const c = i < rest.size() ? rest[i] : '\0';
      return ignore_case && c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    };
    char const first = letter(1), second = letter(2);
    if (first == 's' || first == 't' || first == 'm' || first == 'd') return at + 2;
    if ((first == 'r' && second == 'e') || (first == 'v' && second == 'e') || (first == 'l' && second == 'l'))
      return at + 3;
    if (ignore_case && rest == "'\u017F") return at + 3;  // the long s folds to s
    return at;
  }

  std::string_view text_;
  Index size_;
};

/// Calls `word(begin, end)` for every word of `piece`, from left to right.
template <class Word>
void scan_words(PreTokenizer kind, std::string_view piece, Word const& word) {
  auto const size = static_cast<Index>(piece.size());
  WordScanner const scanner(piece);
  switch (kind) {
    case PreTokenizer::none:
    case PreTokenizer::metaspace:
      if (size > 0) word(Index{0}, size);
      return;
    case PreTokenizer::smollm:
      for (Index at = 0; at < size;) {
        Index const end = scanner.digit_step(at);
        WordScanner const part(slice(piece, at, end));  // the look-ahead must not see past the cut
        for (Index inner = 0; inner < end - at;) {
          Index const inner_end = part.gpt2(inner);
          word(at + inner, at + inner_end);
          inner = inner_end;
        }
        at = end;
      }
      return;
    case PreTokenizer::gpt2:
    case PreTokenizer::llama3:
    case PreTokenizer::qwen2:
      for (Index at = 0; at < size;) {
        Index const end = kind == PreTokenizer::gpt2     ? scanner.gpt2(at)
                          : kind == PreTokenizer::llama3 ? scanner.llama3(at, 3)
                                                         : scanner.llama3(at, 1);
        word(at, end);
        at = end;
      }
      return;
  }
}

}  // namespace graft::detail
