// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/scalar.hpp>
#include <graft/text/added_token_matcher.hpp>
#include <graft/text/tokenizer_spec.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace graft {

/// What to do with bytes that are not UTF-8.
enum class InvalidUtf8 {
  refuse,   ///< `encode`: an Error that names the offset of the first such byte
  replace,  ///< U+FFFD for every maximal stretch, as Python's `errors="replace"`
  keep      ///< `decode` only: the bytes as they are
};

struct EncodeOptions {
  bool add_special = false;   ///< BOS and EOS where the model adds them
  bool parse_special = true;  ///< special tokens in the text become their ids, as in Hugging Face's tokenizers
  InvalidUtf8 invalid_utf8 = InvalidUtf8::refuse;
  /// Stretches of the text in which (and across whose edges) no special token is parsed, in order; for text of users.
  std::span<ByteRange const> literal = {};
};

struct DecodeOptions {
  bool skip_special = false;
  /// `keep` gives back the very bytes that were encoded; `replace` always gives valid UTF-8, as transformers does.
  InvalidUtf8 invalid_utf8 = InvalidUtf8::keep;
};

/// Token ids, and for each the offset of its first byte in the text. A token that is made rather than found (BOS, EOS,
/// a leading blank) has the offset where it was put. With `InvalidUtf8::replace` offsets are those in the repaired
/// text, `replace_invalid_utf8(text)`.
struct Encoding {
  std::vector<std::int32_t> ids;
  std::vector<Index> begins;
};

namespace detail {
struct TokenizerState;
}

/// Text to token ids and back. The steps are those of a `tokenizer.json`: added tokens are cut out of the raw text,
/// the rest is normalized, cut into words, each word is merged into tokens, and BOS and EOS are put around.
/// Immutable and cheap to copy; every member may be called from many threads at once.
class Tokenizer {
 public:
  /// Throws Error if the parts of `spec` do not fit each other. `source` names the file in messages.
  explicit Tokenizer(TokenizerSpec spec, std::string const& source = "the tokenizer spec");

  [[nodiscard]] std::vector<std::int32_t> encode(std::string_view text, EncodeOptions const& options = {}) const;
  [[nodiscard]] Encoding encode_with_offsets(std::string_view text, EncodeOptions const& options = {}) const;

  /// The text of `ids`. Throws Error for an id that is not in 0..size()-1.
  [[nodiscard]] std::string decode(std::span<std::int32_t const> ids, DecodeOptions const& options = {}) const;

  /// The id of a token as it is spelled in the vocabulary ("Ġthe", "▁the", "<|im_end|>").
  [[nodiscard]] std::optional<std::int32_t> token_id(std::string_view token) const;
  /// The spelling of a token; "" for an id without one. Throws Error for an id that is not in 0..size()-1.
  [[nodiscard]] std::string const& token(std::int32_t id) const;
  /// The bytes that an id stands for by itself.
  [[nodiscard]] std::string token_bytes(std::int32_t id) const;
  [[nodiscard]] bool is_special(std::int32_t id) const;

  /// One more than the largest id. An embedding may have more rows (padding) or, wrongly, fewer: compare before use.
  [[nodiscard]] Index size() const;
  [[nodiscard]] std::optional<std::int32_t> bos() const { return spec().bos; }
  [[nodiscard]] std::optional<std::int32_t> eos() const { return spec().eos; }
  [[nodiscard]] std::optional<std::int32_t> pad() const { return spec().pad; }
  [[nodiscard]] TokenizerSpec const& spec() const;

 private:
  std::shared_ptr<detail::TokenizerState const> state_;
};

}  // namespace graft

#ifndef GRAFT_COMPILED
#include <graft/text/tokenizer.tpp>
#endif
