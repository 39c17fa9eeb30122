// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/error.hpp>
#include <graft/text/byte_alphabet.hpp>
#include <graft/text/merge_symbols.hpp>
#include <graft/text/tokenizer_spec.hpp>
#include <graft/text/utf8.hpp>
#include <graft/text/word_cache.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace graft::detail {

/// The token that stands for one byte in SentencePiece vocabularies: "<0x0A>".
[[nodiscard]] inline std::string byte_token(unsigned char byte) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  return {'<', '0', 'x', digits[byte >> 4], digits[byte & 15u], '>'};
}

/// The byte that "<0xNN>" stands for; nothing for any other token.
[[nodiscard]] inline std::optional<unsigned char> byte_of_token(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>') return std::nullopt;
  unsigned value = 0;
  for (char const c : token.substr(3, 2)) {
    auto const digit = std::string_view("0123456789abcdef").find(c >= 'A' && c <= 'F' ? static_cast<char>(c + 32) : c);
    if (digit == std::string_view::npos) return std::nullopt;
    value = value * 16 + static_cast<unsigned>(digit);
  }
  return static_cast<unsigned char>(value);
}

/// Byte pair encoding of single words (Sennrich et al. 2016, arXiv:1508.07909), by rank or, as SentencePiece, by score.
class BpeModel {
 public:
  /// Keeps pointers into `spec`, which must outlive this.
  BpeModel(TokenizerSpec const& spec, std::string const& source)
      : spec_(spec), by_score_(merges_by_score(spec)), merges_(spec.merges.size()) {
    ids_.reserve(spec.tokens.size());
    for (std::size_t id = 0; id < spec.tokens.size(); ++id) {
      std::string const& token = spec.tokens[id];
      if (token.empty()) continue;
      ids_.insert_or_assign(token, static_cast<std::int32_t>(id));
      longest_ = std::max(longest_, static_cast<Index>(token.size()));
    }
    for (std::size_t byte = 0; byte < 256; ++byte) {
      auto const value = static_cast<unsigned char>(byte);
      bool const bytes = spec.model == TokenizerModel::byte_level_bpe;
      byte_ids_[byte] = token_id(bytes ? byte_alphabet().symbol(value) : byte_token(value)).value_or(-1);
    }
    if (by_score_) {
      mergeable_.assign(spec.tokens.size(), true);
      for (AddedToken const& added : spec.added_tokens)
        if (added.special && added.id < static_cast<std::int32_t>(mergeable_.size()))
          mergeable_[static_cast<std::size_t>(added.id)] = false;
    }
    std::string joined;
    for (std::size_t rank = 0; rank < spec.merges.size(); ++rank) {
      TokenMerge const merge = spec.merges[rank];
      joined.assign(spec.tokens[static_cast<std::size_t>(merge.left)]);
      joined += spec.tokens[static_cast<std::size_t>(merge.right)];
      auto const result = token_id(joined);
      require(result.has_value(), "tokenizer", "a merge must result in a token of the vocabulary: merge ", rank,
              " makes \"", joined, "\", which is none, in ", source);
      merges_.insert(merge.left, merge.right, static_cast<std::int32_t>(rank), *result);
    }
  }
  BpeModel(BpeModel const&) = delete;
  BpeModel& operator=(BpeModel const&) = delete;

  [[nodiscard]] std::optional<std::int32_t> token_id(std::string_view token) const {
    auto const found = ids_.find(token);
    return found == ids_.end() ? std::nullopt : std::optional(found->second);
  }

  /// Appends the tokens of `word`, which is valid UTF-8.
  void tokenize(std::string_view word, std::vector<WordToken>& out) const {
    bool const bytes = spec_.model == TokenizerModel::byte_level_bpe;
    if (spec_.ignore_merges)
      if (auto const whole = bytes ? token_id(byte_alphabet().spell(word)) : token_id(word)) {
        out.push_back({*whole, 0});
        return;
      }
    std::vector<Symbol> symbols;
    symbols.reserve(word.size());
    if (by_score_) {
      for (Index at = 0; at < static_cast<Index>(word.size());) {
        Index const length = utf8_step(word, at).length;
        symbols.push_back({token_id(slice(word, at, at + length)).value_or(-1), at, length});
        at += length;
      }
      merge_symbols(symbols, [&](Symbol const& left, Symbol const& right) { return by_score(word, left, right); });
      auto const merged = std::move(symbols);
      symbols.clear();
      UnknownText unknown(*this, symbols);
      for (Symbol const& s : merged) unknown.add(s.id, slice(word, s.begin, s.begin + s.length), s.begin, s.length);
      unknown.finish();
    } else {
      UnknownText unknown(*this, symbols);
      for (Index at = 0; at < static_cast<Index>(word.size());) {
        Index const length = bytes ? 1 : utf8_step(word, at).length;
        std::string_view const spelled = slice(word, at, at + length);
        unknown.add(bytes ? byte_ids_[byte_at(word, at)] : token_id(spelled).value_or(-1), spelled, at, length);
        at += length;
      }
      unknown.finish();
      merge_symbols(symbols, [&](Symbol const& left, Symbol const& right) { return merges_.find(left.id, right.id); });
    }
    for (Symbol const& symbol : symbols) out.push_back({symbol.id, symbol.begin});
  }

 private:
  /// Puts what has no token as bytes, as the unknown token, or not at all, in the order that Hugging Face's tokenizers
  /// does it: a pending unknown token comes after the byte tokens that follow it.
  class UnknownText {
   public:
    UnknownText(BpeModel const& model, std::vector<Symbol>& out) : model_(model), out_(out) {}

    void add(std::int32_t id, std::string_view spelled, Index begin, Index length) {
      if (id >= 0) {
        finish();
        out_.push_back({id, begin, length});
        return;
      }
      if (model_.spec_.byte_fallback &&
          std::ranges::all_of(spelled, [&](char c) { return model_.byte_ids_[static_cast<unsigned char>(c)] >= 0; })) {
        for (Index i = 0; i < length; ++i) out_.push_back({model_.byte_ids_[byte_at(spelled, i)], begin + i, 1});
        return;
      }
      if (!model_.spec_.model_unk) return;
      if (pending_ && model_.spec_.fuse_unk) {
        pending_->length += length;
        return;
      }
      finish();
      pending_ = Symbol{*model_.spec_.model_unk, begin, length};
    }

    void finish() {
      if (pending_) out_.push_back(*pending_);
      pending_.reset();
    }

   private:
    BpeModel const& model_;
    std::vector<Symbol>& out_;
    std::optional<Symbol> pending_;
  };

  /// SentencePiece's rule: two neighbours may join if together they spell a token; the higher its score, the sooner.
  [[nodiscard]] std::optional<MergeCandidate> by_score(std::string_view word, Symbol const& left,
                                                       Symbol const& right) const {
    if (left.length + right.length > longest_) return std::nullopt;
    auto const id = token_id(slice(word, left.begin, right.begin + right.length));
    if (!id || !mergeable_[static_cast<std::size_t>(*id)]) return std::nullopt;
    return MergeCandidate{-static_cast<double>(spec_.scores[static_cast<std::size_t>(*id)]), *id};
  }

  TokenizerSpec const& spec_;
  bool by_score_;
  MergeTable merges_;
  std::unordered_map<std::string_view, std::int32_t> ids_;
  std::array<std::int32_t, 256> byte_ids_{};
  std::vector<bool> mergeable_;  ///< by score only: not special
  Index longest_ = 0;
};

}  // namespace graft::detail
