// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/config.hpp>
#include <graft/text/bpe_model.hpp>
#include <graft/text/nfc.hpp>
#include <graft/text/tokenizer.hpp>
#include <graft/text/word_scanner.hpp>

#include <algorithm>
#include <unordered_map>
#include <utility>

namespace graft {
namespace detail {

inline constexpr std::string_view blank_symbol = "\xE2\x96\x81";  // U+2581

/// Text on its way through the steps, and where each of its bytes came from: an entry a byte in `origins`, or with
/// none, `offset` plus its place.
struct TextPiece {
  std::string_view text;
  Index offset = 0;
  std::span<Index const> origins = {};

  [[nodiscard]] Index origin(Index at) const {
    return origins.empty() ? offset + at : origins[static_cast<std::size_t>(at)];
  }
  [[nodiscard]] TextPiece part(Index begin, Index end) const {
    if (origins.empty()) return {slice(text, begin, end), offset + begin, {}};
    auto const from = static_cast<std::size_t>(begin);
    return {slice(text, begin, end), 0, origins.subspan(from, static_cast<std::size_t>(end - begin))};
  }
};

/// Text that a step has written anew.
struct OwnedText {
  std::string text;
  std::vector<Index> origins;
  [[nodiscard]] TextPiece piece() const { return {text, 0, origins}; }
};

struct TokenizerState {
  TokenizerState(TokenizerSpec given, std::string const& source) : spec(std::move(given)), model(spec, source) {
    count = id_count(spec);
    for (AddedToken const& added : spec.added_tokens) {
      require(!find_invalid_utf8(added.content), "tokenizer", "an added token must be UTF-8: id ", added.id, " in ",
              source, " is not");
      added_by_id.insert_or_assign(added.id, &added);
      added_ids.insert_or_assign(added.content, added.id);
      if (added.normalized)
        normalized_matcher.add(normalize({added.content}).text, &added);
      else
        raw_matcher.add(added.content, &added);
    }
  }

  [[nodiscard]] OwnedText replace_blanks(TextPiece const& piece) const {
    OwnedText out;
    out.text.reserve(piece.text.size() + 3);
    auto const put = [&out](std::string_view bytes, Index origin) {
      out.text += bytes;
      out.origins.resize(out.text.size(), origin);
    };
    bool const metaspace = spec.pre_tokenizer == PreTokenizer::metaspace;
    // Metaspace keeps a blank that is there already, Prepend doubles it.
    bool const blank_first = metaspace && (piece.text.starts_with(' ') || piece.text.starts_with(blank_symbol));
    bool const wanted = spec.blank_prefix == BlankPrefix::every_piece ||
                        (spec.blank_prefix == BlankPrefix::first_piece && piece.origin(0) == 0);
    if (wanted && !blank_first) put(blank_symbol, piece.origin(0));
    for (Index at = 0; at < static_cast<Index>(piece.text.size()); ++at) {
      std::string_view const byte = slice(piece.text, at, at + 1);
      put(byte == " " ? blank_symbol : byte, piece.origin(at));
    }
    return out;
  }

  /// For `Normalizer::nfc` and `replace_blanks`; `piece` must not be empty.
  [[nodiscard]] OwnedText normalize(TextPiece const& piece) const {
    if (spec.normalizer == Normalizer::replace_blanks) return replace_blanks(piece);
    OwnedText out;
    if (spec.normalizer == Normalizer::nfc) {
      out.text = nfc(piece.text, out.origins);
      for (Index& origin : out.origins) origin = piece.origin(origin);
    } else {
      out.text = piece.text;
    }
    return out;
  }

  /// Cuts added tokens out of raw text, then normalizes the rest and cuts out the normalized ones.
  template <class Allowed>
  void encode_text(TextPiece const& whole, Allowed const& allowed, Encoding& out) const {
    auto const emit = [&out](AddedToken const& token, Index origin) {
      out.ids.push_back(token.id);
      out.begins.push_back(origin);
    };
    raw_matcher.split(whole.text, allowed, [&](AddedToken const* token, Index begin, Index end) {
      if (token != nullptr) return emit(*token, whole.origin(begin));
      TextPiece const raw = whole.part(begin, end);
      bool const unchanged =
          spec.normalizer == Normalizer::none ||
          (spec.normalizer == Normalizer::nfc && std::ranges::none_of(raw.text, [](char c) { return (c & 0x80) != 0; }));
      OwnedText const normalized = unchanged ? OwnedText{} : normalize(raw);
      TextPiece const piece = unchanged ? raw : normalized.piece();
      auto const normalized_allowed = [&](AddedToken const& found, Index from, Index to) {
        return allowed(found, piece.origin(from), piece.origin(to - 1) + 1);
      };
      normalized_matcher.split(piece.text, normalized_allowed, [&](AddedToken const* found, Index from, Index to) {
        if (found != nullptr) return emit(*found, piece.origin(from));
        encode_words(piece.part(from, to), out);
      });
    });
  }

  void encode_words(TextPiece const& piece, Encoding& out) const {
    if (spec.pre_tokenizer == PreTokenizer::metaspace) {
      OwnedText const replaced = replace_blanks(piece);
      return encode_word(replaced.piece(), out);
    }
    scan_words(spec.pre_tokenizer, piece.text,
               [&](Index begin, Index end) { encode_word(piece.part(begin, end), out); });
  }

  void encode_word(TextPiece const& word, Encoding& out) const {
    std::vector<WordToken> tokens;
    if (!cache.find(word.text, tokens)) {
      model.tokenize(word.text, tokens);
      cache.insert(word.text, tokens);
    }
    for (WordToken const& token : tokens) {
      out.ids.push_back(token.id);
      out.begins.push_back(word.origin(token.begin));
    }
  }

  TokenizerSpec const spec;
  BpeModel model;
  AddedTokenMatcher raw_matcher, normalized_matcher;
  std::unordered_map<std::int32_t, AddedToken const*> added_by_id;
  std::unordered_map<std::string_view, std::int32_t> added_ids;
  Index count = 0;
  mutable WordCache cache;
};

/// `text` with every U+2581 as a blank.
inline void append_with_blanks(std::string& out, std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    bool const blank = text.substr(at).starts_with(blank_symbol);
    out.push_back(blank ? ' ' : text[at]);
    at += blank ? blank_symbol.size() : 1;
  }
}

}  // namespace detail

GRAFT_INLINE Tokenizer::Tokenizer(TokenizerSpec spec, std::string const& source) {
  validate(spec, source);
  state_ = std::make_shared<detail::TokenizerState const>(std::move(spec), source);
}

GRAFT_INLINE Encoding Tokenizer::encode_with_offsets(std::string_view text, EncodeOptions const& options) const {
  std::string repaired;
  if (auto const bad = find_invalid_utf8(text)) {
    require(options.invalid_utf8 == InvalidUtf8::replace, "tokenizer",
            "text must be UTF-8: byte ", *bad, " of ", text.size(), " is not (InvalidUtf8::replace puts U+FFFD there)");
    repaired = replace_invalid_utf8(text);
    text = repaired;
  }
  Encoding out;
  auto const allowed = [&](AddedToken const& token, Index begin, Index end) {
    if (!token.special) return true;
    if (!options.parse_special) return false;
    auto const literal = std::ranges::partition_point(options.literal, [begin](ByteRange r) { return r.end <= begin; });
    return literal == options.literal.end() || literal->begin >= end;
  };
  TokenizerSpec const& spec = state_->spec;
  if (options.add_special && spec.add_bos) {
    out.ids.push_back(*spec.bos);
    out.begins.push_back(0);
  }
  state_->encode_text({text}, allowed, out);
  if (options.add_special && spec.add_eos) {
    out.ids.push_back(*spec.eos);
    out.begins.push_back(static_cast<Index>(text.size()));
  }
  return out;
}

GRAFT_INLINE std::vector<std::int32_t> Tokenizer::encode(std::string_view text, EncodeOptions const& options) const {
  return encode_with_offsets(text, options).ids;
}

GRAFT_INLINE std::string Tokenizer::decode(std::span<std::int32_t const> ids, DecodeOptions const& options) const {
  std::string out, run;  // the run of byte tokens that is being read
  bool const replace = options.invalid_utf8 == InvalidUtf8::replace;
  auto const end_run = [&] {
    if (replace && find_invalid_utf8(run))  // as Hugging Face's ByteFallback: one a byte, for the whole run
      for (std::size_t i = 0; i < run.size(); ++i) out += "\xEF\xBF\xBD";
    else
      out += run;
    run.clear();
  };
  for (std::int32_t const id : ids) {
    if (options.skip_special && is_special(id)) continue;
    bool const byte = state_->spec.byte_fallback && detail::byte_of_token(token(id)).has_value();
    if (byte) {
      run += token_bytes(id);
      continue;
    }
    end_run();
    out += token_bytes(id);
  }
  end_run();
  if (state_->spec.blank_prefix != BlankPrefix::never && out.starts_with(' ')) out.erase(0, 1);
  return replace ? replace_invalid_utf8(out) : out;
}

GRAFT_INLINE std::optional<std::int32_t> Tokenizer::token_id(std::string_view token) const {
  auto const added = state_->added_ids.find(token);
  return added != state_->added_ids.end() ? std::optional(added->second) : state_->model.token_id(token);
}

GRAFT_INLINE std::string const& Tokenizer::token(std::int32_t id) const {
  require(id >= 0 && id < size(), "tokenizer", "a token id must be in 0..", size() - 1, ": got ", id);
  auto const added = state_->added_by_id.find(id);
  if (added != state_->added_by_id.end()) return added->second->content;
  static std::string const none;
  auto const index = static_cast<std::size_t>(id);
  return index < state_->spec.tokens.size() ? state_->spec.tokens[index] : none;
}

GRAFT_INLINE std::string Tokenizer::token_bytes(std::int32_t id) const {
  std::string const& spelled = token(id);
  std::string out;
  if (state_->spec.model == TokenizerModel::byte_level_bpe) {
    if (!state_->added_by_id.contains(id))
      if (auto bytes = detail::byte_alphabet().bytes(spelled)) return *bytes;
    return spelled;
  }
  auto const byte = state_->spec.byte_fallback ? detail::byte_of_token(spelled) : std::nullopt;
  if (byte)
    out.push_back(static_cast<char>(*byte));
  else
    detail::append_with_blanks(out, spelled);
  return out;
}

GRAFT_INLINE bool Tokenizer::is_special(std::int32_t id) const {
  auto const added = state_->added_by_id.find(id);
  return added != state_->added_by_id.end() && added->second->special;
}

GRAFT_INLINE Index Tokenizer::size() const { return state_->count; }

GRAFT_INLINE TokenizerSpec const& Tokenizer::spec() const { return state_->spec; }

}  // namespace graft
