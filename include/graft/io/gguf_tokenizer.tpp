// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/config.hpp>
#include <graft/io/gguf_tokenizer.hpp>
#include <graft/io/printable.hpp>
#include <graft/text/bpe_model.hpp>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace graft {
namespace detail {

/// The values of `tokenizer.ggml.token_type`.
enum class GgufTokenType : std::int64_t { normal = 1, unknown, control, user_defined, unused, byte };

/// Reads the `tokenizer.` keys of one file.
class GgufTokenizerReader {
 public:
  explicit GgufTokenizerReader(GgufFile const& file) : file_(file) {}

  [[nodiscard]] TokenizerSpec read() {
    auto const model = file_.get<std::string>("tokenizer.ggml.model");
    spec_.tokens = file_.get<std::vector<std::string>>("tokenizer.ggml.tokens");
    check(!spec_.tokens.empty() && static_cast<Index>(spec_.tokens.size()) < max_token_id, "tokens",
          "must hold 1..", max_token_id - 1, " strings: got ", spec_.tokens.size());
    spec_.eot = id("eot_token_id");
    spec_.bos = id("bos_token_id");
    spec_.eos = id("eos_token_id");
    spec_.pad = id("padding_token_id");
    spec_.unk = id("unknown_token_id");
    if (model == "gpt2")
      read_byte_level();
    else if (model == "llama")
      read_sentencepiece();
    else
      fail("gguf", file_.path().string(), ": tokenizer.ggml.model must be \"gpt2\" (byte-level BPE) or \"llama\" (SentencePiece"
           " BPE): got \"", printable(model), "\"");
    read_token_types();
    spec_.add_bos = file_.find<bool>("tokenizer.ggml.add_bos_token").value_or(spec_.add_bos);
    spec_.add_eos = file_.find<bool>("tokenizer.ggml.add_eos_token").value_or(spec_.add_eos);
    spec_.chat_template = file_.find<std::string>("tokenizer.chat_template").value_or("");
    validate(spec_, file_.path().string());
    return std::move(spec_);
  }

 private:
  template <class... Parts>
  void check(bool condition, char const* key, Parts const&... parts) const {
    require(condition, "gguf", file_.path().string(), ": tokenizer.ggml.", key, " ", parts...);
  }

  [[nodiscard]] std::optional<std::int32_t> id(char const* key) const {
    auto const value = file_.find<std::int64_t>(std::string("tokenizer.ggml.") + key);
    if (!value) return std::nullopt;
    auto const count = static_cast<std::int64_t>(spec_.tokens.size());
    check(*value >= 0 && *value < count, key, "must be in 0..", count - 1, ": got ", *value);
    return static_cast<std::int32_t>(*value);
  }

  void read_byte_level() {
    spec_.model = TokenizerModel::byte_level_bpe;
    auto const pre = file_.find<std::string>("tokenizer.ggml.pre").value_or("default");
    struct Name {
      std::string_view name;
      PreTokenizer kind;
    };
    static constexpr Name names[] = {
        {"gpt-2", PreTokenizer::gpt2},       {"gpt2", PreTokenizer::gpt2},         {"phi-2", PreTokenizer::gpt2},
        {"smollm", PreTokenizer::smollm},    {"starcoder", PreTokenizer::smollm},  {"refact", PreTokenizer::smollm},
        {"llama-bpe", PreTokenizer::llama3}, {"llama3", PreTokenizer::llama3},     {"llama-v3", PreTokenizer::llama3},
        {"qwen2", PreTokenizer::qwen2},      {"deepseek-r1-qwen", PreTokenizer::qwen2}};
    auto const found = std::ranges::find(names, pre, &Name::name);
    check(found != std::end(names), "pre",
          "must be one of gpt-2, phi-2, smollm, starcoder, refact, llama-bpe, qwen2, deepseek-r1-qwen: got \"",
          printable(pre), "\"");
    spec_.pre_tokenizer = found->kind;
    bool const llama3 = spec_.pre_tokenizer == PreTokenizer::llama3;
    spec_.ignore_merges = llama3;
    spec_.add_bos = llama3 && spec_.bos;
    if (pre == "qwen2") spec_.normalizer = Normalizer::nfc;
    read_merges();
  }

  void read_merges() {
    auto const lines = file_.get<std::vector<std::string>>("tokenizer.ggml.merges");
    std::unordered_map<std::string_view, std::int32_t> ids;
    for (std::size_t i = 0; i < spec_.tokens.size(); ++i)
      ids.insert_or_assign(spec_.tokens[i], static_cast<std::int32_t>(i));
    spec_.merges.reserve(lines.size());
    std::string joined;
    for (std::string_view const line : lines) {
      auto const entry_must = [&](bool condition, char const* rule) {
        if (!condition) check(false, "merges", rule, ": entry ", spec_.merges.size(), " is \"", printable(line), "\"");
      };
      std::size_t const blank = line.find(' ', 1);
      entry_must(blank != std::string_view::npos && blank + 1 < line.size(), "must hold pairs with a blank between them");
      auto const left = ids.find(line.substr(0, blank));
      auto const right = ids.find(line.substr(blank + 1));
      entry_must(left != ids.end() && right != ids.end(), "must join tokens of the vocabulary");
      joined.assign(left->first);
      joined += right->first;
      entry_must(ids.contains(joined), "must result in a token of the vocabulary");
      spec_.merges.push_back({left->second, right->second});
    }
  }

  void read_sentencepiece() {
    spec_.model = TokenizerModel::sentencepiece_bpe;
    spec_.normalizer = Normalizer::replace_blanks;
    bool const prefix = file_.find<bool>("tokenizer.ggml.add_space_prefix").value_or(true);
    spec_.blank_prefix = prefix ? BlankPrefix::every_piece : BlankPrefix::never;
    spec_.add_bos = spec_.bos.has_value();
    spec_.fuse_unk = true;
    spec_.model_unk = spec_.unk;
    auto const scores = file_.get<std::vector<double>>("tokenizer.ggml.scores");
    check(scores.size() == spec_.tokens.size(), "scores", "must be one a token: got ", scores.size(), " for ",
          spec_.tokens.size(), " tokens");
    for (double const score : scores) spec_.scores.push_back(static_cast<float>(score));
    spec_.byte_fallback =
        std::ranges::any_of(spec_.tokens, [](std::string const& token) { return byte_of_token(token).has_value(); });
  }

  void read_token_types() {
    auto const types = file_.find<std::vector<std::int64_t>>("tokenizer.ggml.token_type");
    if (!types) return;
    check(types->size() == spec_.tokens.size(), "token_type", "must be one a token: got ", types->size(), " for ",
          spec_.tokens.size(), " tokens");
    for (std::size_t i = 0; i < types->size(); ++i) {
      auto const type = static_cast<GgufTokenType>((*types)[i]);
      check(type >= GgufTokenType::normal && type <= GgufTokenType::byte, "token_type", "must be in 1..6: got ",
            (*types)[i], " for token ", i);
      bool const special = type == GgufTokenType::control || type == GgufTokenType::unknown;
      if ((special || type == GgufTokenType::user_defined) && !spec_.tokens[i].empty())
        spec_.added_tokens.push_back(
            {.id = static_cast<std::int32_t>(i), .content = spec_.tokens[i], .special = special});
    }
  }

  GgufFile const& file_;
  TokenizerSpec spec_;
};

}  // namespace detail

GRAFT_INLINE TokenizerSpec read_gguf_tokenizer(GgufFile const& file) { return detail::GgufTokenizerReader(file).read(); }

}  // namespace graft
