// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/error.hpp>
#include <graft/core/scalar.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace graft {

/// How symbols start before they are merged.
enum class TokenizerModel {
  byte_level_bpe,    ///< bytes in GPT-2's alphabet (GPT-2, Llama 3, Qwen, SmolLM)
  sentencepiece_bpe  ///< characters, blanks written as U+2581, the rest as `<0xNN>` (Llama 2, Gemma)
};

/// How text is cut into words; merges never cross a cut. The regular expressions are in docs/text.md.
enum class PreTokenizer {
  none,      ///< one word per piece
  gpt2,      ///< GPT-2's pattern
  smollm,    ///< every numeric character by itself, then GPT-2's pattern (SmolLM, StarCoder)
  llama3,    ///< Llama 3's pattern: numbers in groups of at most three
  qwen2,     ///< Llama 3's pattern with numbers one by one
  metaspace  ///< blanks become U+2581 here rather than in the normalizer; no cut
};

/// What is done to the text around added tokens before it is cut into words.
enum class Normalizer {
  none,
  nfc,            ///< Unicode normal form C (Qwen)
  replace_blanks  ///< U+0020 becomes U+2581 (SentencePiece)
};

/// Where SentencePiece's leading U+2581 is put.
enum class BlankPrefix {
  never,
  first_piece,  ///< before the text, unless it begins with an added token or a blank (Metaspace, "first")
  every_piece   ///< before every stretch between added tokens (Prepend; Metaspace "always")
};

/// A string that is always one token, cut out of the text before anything else is done to it.
struct AddedToken {
  std::int32_t id = 0;
  std::string content = {};
  bool special = false;      ///< skipped by `decode` and left unparsed by `encode` on request
  bool normalized = false;   ///< looked for in the normalized text rather than in the raw one
  bool lstrip = false;       ///< swallows white space on its left
  bool rstrip = false;       ///< swallows white space on its right
  bool single_word = false;  ///< only where no word character touches it
  friend bool operator==(AddedToken const&, AddedToken const&) = default;
};

/// One rule of BPE: token `left` followed by token `right` becomes the token that is spelled like both together.
struct TokenMerge {
  std::int32_t left = 0;
  std::int32_t right = 0;
  friend bool operator==(TokenMerge, TokenMerge) = default;
};

/// A whole tokenizer as plain data: what a `tokenizer.json` or the metadata of a GGUF file say, free of either format.
struct TokenizerSpec {
  TokenizerModel model = TokenizerModel::byte_level_bpe;
  /// The vocabulary of the model: `tokens[id]`, in GPT-2's alphabet or with U+2581; "" where an id has no token.
  /// Added tokens may stand here too, or have ids beyond it.
  std::vector<std::string> tokens;
  /// BPE by rank: the lower index goes first. Empty and `scores` given: by score, as SentencePiece does.
  std::vector<TokenMerge> merges;
  /// One a token, the higher goes first; used only where there are no merges.
  std::vector<float> scores;
  std::vector<AddedToken> added_tokens;

  Normalizer normalizer = Normalizer::none;
  BlankPrefix blank_prefix = BlankPrefix::never;
  PreTokenizer pre_tokenizer = PreTokenizer::none;

  bool ignore_merges = false;  ///< a word that is in the vocabulary is that token, whatever the merges say (Llama 3)
  bool byte_fallback = false;  ///< a character without a token becomes its bytes `<0xNN>`
  bool fuse_unk = false;       ///< neighbouring unknown characters become one token
  std::optional<std::int32_t> model_unk;  ///< stands for what has no token; without it such text is dropped

  std::optional<std::int32_t> bos, eos, pad, unk;  ///< the named tokens
  std::optional<std::int32_t> eot;                 ///< end of turn, where a GGUF file names one beside `eos`
  bool add_bos = false;
  bool add_eos = false;

  std::string chat_template;  ///< Jinja, "" for none
  bool clean_up_tokenization_spaces = false;  ///< kept for transformers; `decode` here never changes text
  std::int64_t model_max_length = 0;          ///< 0: not known

  friend bool operator==(TokenizerSpec const&, TokenizerSpec const&) = default;
};

/// True if merging goes by score.
[[nodiscard]] inline bool merges_by_score(TokenizerSpec const& spec) {
  return spec.merges.empty() && !spec.scores.empty();
}

namespace detail {

inline constexpr std::int32_t max_token_id = 1 << 24;

inline void validate_id(std::optional<std::int32_t> id, char const* name, Index count, std::string const& source) {
  require(!id || (*id >= 0 && *id < count), "tokenizer", name, " must be the id of a token, 0..", count - 1,
          ": got ", id.value_or(0), " in ", source);
}

}  // namespace detail

/// One more than the largest id.
[[nodiscard]] inline Index id_count(TokenizerSpec const& spec) {
  auto count = static_cast<Index>(spec.tokens.size());
  for (AddedToken const& added : spec.added_tokens) count = added.id < count ? count : Index{added.id} + 1;
  return count;
}

/// Throws unless the parts of `spec` fit each other. `source` names the file in the message.
inline void validate(TokenizerSpec const& spec, std::string const& source = "the tokenizer spec") {
  using detail::validate_id;
  auto const vocabulary = static_cast<Index>(spec.tokens.size());
  require(vocabulary > 0, "tokenizer", "the vocabulary must hold at least one token: ", source, " has none");
  require(spec.scores.empty() || spec.scores.size() == spec.tokens.size(), "tokenizer",
          "scores must be one a token: got ", spec.scores.size(), " scores for ", vocabulary, " tokens in ", source);
  for (std::size_t rank = 0; rank < spec.merges.size(); ++rank)
    for (std::int32_t const id : {spec.merges[rank].left, spec.merges[rank].right})
      require(id >= 0 && id < vocabulary, "tokenizer", "a merge must join tokens 0..", vocabulary - 1, ": merge ", rank,
              " has ", id, " in ", source);
  for (AddedToken const& added : spec.added_tokens) {
    require(added.id >= 0 && added.id < detail::max_token_id, "tokenizer", "an added token's id must be in 0..",
            detail::max_token_id - 1, ": got ", added.id, " for ", added.content, " in ", source);
    require(!added.content.empty(), "tokenizer", "an added token must not be empty: id ", added.id, " in ", source);
  }
  Index const count = id_count(spec);
  validate_id(spec.bos, "bos", count, source);
  validate_id(spec.eos, "eos", count, source);
  validate_id(spec.pad, "pad", count, source);
  validate_id(spec.unk, "unk", count, source);
  validate_id(spec.eot, "eot", count, source);
  validate_id(spec.model_unk, "model_unk", vocabulary, source);
  require(!spec.add_bos || spec.bos, "tokenizer", "add_bos needs a bos token: ", source, " names none");
  require(!spec.add_eos || spec.eos, "tokenizer", "add_eos needs an eos token: ", source, " names none");
  bool const bytes = spec.model == TokenizerModel::byte_level_bpe;
  bool const blanks = spec.normalizer == Normalizer::replace_blanks || spec.pre_tokenizer == PreTokenizer::metaspace;
  require(!bytes || !blanks, "tokenizer", "byte-level BPE has no U+2581 for blanks, but ", source, " replaces them");
  require(bytes || spec.pre_tokenizer == PreTokenizer::none || spec.pre_tokenizer == PreTokenizer::metaspace,
          "tokenizer", "SentencePiece BPE cuts no words, but ", source, " names a pre-tokenizer of byte-level BPE");
  require(blanks || spec.blank_prefix == BlankPrefix::never, "tokenizer",
          "a leading U+2581 needs blanks to be replaced: ", source, " does not");
  require(!bytes || !spec.byte_fallback, "tokenizer",
          "byte_fallback belongs to SentencePiece BPE, but ", source, " sets it with byte-level BPE");
  require(!bytes || spec.scores.empty() || !spec.merges.empty(), "tokenizer",
          "byte-level BPE merges by rank, but ", source, " has only scores");
}

}  // namespace graft
