// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/config.hpp>
#include <graft/io/atomic_file.hpp>
#include <graft/io/hf_pattern.hpp>
#include <graft/io/hf_tokenizer.hpp>
#include <graft/text/merges_from_scores.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <string>
#include <vector>

namespace graft {
namespace detail {

class HfTokenizerWriter {
  using Json = nlohmann::ordered_json;

 public:
  explicit HfTokenizerWriter(TokenizerSpec const& spec) : spec_(spec) {}

  [[nodiscard]] Json tokenizer() const {
    return {{"version", "1.0"},
            {"truncation", nullptr},
            {"padding", nullptr},
            {"added_tokens", added_tokens()},
            {"normalizer", normalizer()},
            {"pre_tokenizer", pre_tokenizer()},
            {"post_processor", post_processor()},
            {"decoder", decoder()},
            {"model",
             {{"type", "BPE"},
              {"dropout", nullptr},
              {"unk_token", name(spec_.model_unk)},
              {"continuing_subword_prefix", nullptr},
              {"end_of_word_suffix", nullptr},
              {"fuse_unk", spec_.fuse_unk},
              {"byte_fallback", spec_.byte_fallback},
              {"ignore_merges", spec_.ignore_merges},
              {"vocab", vocabulary()},
              {"merges", merges()}}}};
  }

  [[nodiscard]] Json config() const {
    Json out = {{"tokenizer_class", "PreTrainedTokenizerFast"},
                {"bos_token", name(spec_.bos)},
                {"eos_token", name(spec_.eos)},
                {"pad_token", name(spec_.pad)},
                {"unk_token", name(spec_.unk)},
                {"add_bos_token", spec_.add_bos},
                {"add_eos_token", spec_.add_eos},
                {"clean_up_tokenization_spaces", spec_.clean_up_tokenization_spaces}};
    if (spec_.model_max_length > 0) out["model_max_length"] = spec_.model_max_length;
    if (!spec_.chat_template.empty()) out["chat_template"] = spec_.chat_template;
    return out;
  }

 private:
  [[nodiscard]] Json name(std::optional<std::int32_t> id) const {
    if (!id) return nullptr;
    auto const added = std::ranges::find(spec_.added_tokens, *id, &AddedToken::id);
    return added != spec_.added_tokens.end() ? added->content : spec_.tokens[static_cast<std::size_t>(*id)];
  }

  /// In the order of ids: tokens beyond the vocabulary get theirs by counting.
  [[nodiscard]] Json added_tokens() const {
    std::vector<AddedToken> sorted = spec_.added_tokens;
    std::ranges::sort(sorted, {}, &AddedToken::id);
    Json out = Json::array();
    for (AddedToken const& token : sorted)
      out.push_back({{"id", token.id},
                     {"content", token.content},
                     {"single_word", token.single_word},
                     {"lstrip", token.lstrip},
                     {"rstrip", token.rstrip},
                     {"normalized", token.normalized},
                     {"special", token.special}});
    return out;
  }

  [[nodiscard]] Json normalizer() const {
    if (spec_.normalizer == Normalizer::nfc) return {{"type", "NFC"}};
    if (spec_.normalizer == Normalizer::none) return nullptr;
    Json const replace = {{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", "▁"}};
    if (spec_.blank_prefix == BlankPrefix::never) return replace;
    return {{"type", "Sequence"}, {"normalizers", {{{"type", "Prepend"}, {"prepend", "▁"}}, replace}}};
  }

  [[nodiscard]] static Json byte_level(bool own_pattern) {
    return {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", own_pattern}};
  }

  [[nodiscard]] Json pre_tokenizer() const {
    if (spec_.pre_tokenizer == PreTokenizer::metaspace) {
      bool const first = spec_.blank_prefix == BlankPrefix::first_piece;
      bool const never = spec_.blank_prefix == BlankPrefix::never;
      return {{"type", "Metaspace"},
              {"replacement", "▁"},
              {"prepend_scheme", never ? "never" : first ? "first" : "always"},
              {"split", false}};
    }
    if (spec_.model == TokenizerModel::sentencepiece_bpe) return nullptr;
    Json first = {{"type", "Digits"}, {"individual_digits", true}};
    bool own_pattern = true;
    if (spec_.pre_tokenizer != PreTokenizer::smollm) {
      auto const pattern = std::string(pattern_of_pre_tokenizer(spec_.pre_tokenizer));
      if (pattern.empty()) return byte_level(spec_.pre_tokenizer == PreTokenizer::gpt2);
      first = {{"type", "Split"}, {"pattern", {{"Regex", pattern}}}, {"behavior", "Isolated"}, {"invert", false}};
      own_pattern = false;
    }
    return {{"type", "Sequence"}, {"pretokenizers", Json::array({first, byte_level(own_pattern)})}};
  }

  [[nodiscard]] Json post_processor() const {
    Json single = Json::array(), pair = Json::array(), tokens = Json::object();
    auto const special = [&](std::int32_t id, int type) {
      std::string const content = name(id).get<std::string>();
      tokens[content] = {{"id", content}, {"ids", Json::array({id})}, {"tokens", Json::array({content})}};
      return Json{{"SpecialToken", {{"id", content}, {"type_id", type}}}};
    };
    if (spec_.add_bos) single.push_back(special(*spec_.bos, 0));
    single.push_back({{"Sequence", {{"id", "A"}, {"type_id", 0}}}});
    if (spec_.add_eos) single.push_back(special(*spec_.eos, 0));
    pair = single;
    if (spec_.add_bos) pair.push_back(special(*spec_.bos, 1));
    pair.push_back({{"Sequence", {{"id", "B"}, {"type_id", 1}}}});
    if (spec_.add_eos) pair.push_back(special(*spec_.eos, 1));
    return {{"type", "TemplateProcessing"}, {"single", single}, {"pair", pair}, {"special_tokens", tokens}};
  }

  [[nodiscard]] Json decoder() const {
    if (spec_.model == TokenizerModel::byte_level_bpe) return byte_level(true);
    Json steps = Json::array();
    steps.push_back({{"type", "Replace"}, {"pattern", {{"String", "▁"}}}, {"content", " "}});
    if (spec_.byte_fallback) steps.push_back({{"type", "ByteFallback"}});
    steps.push_back({{"type", "Fuse"}});
    if (spec_.blank_prefix != BlankPrefix::never)
      steps.push_back({{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
    return {{"type", "Sequence"}, {"decoders", steps}};
  }

  [[nodiscard]] Json vocabulary() const {
    Json::object_t out;  // filled as the vector that it is: its members are told apart by looking at all of them
    out.reserve(spec_.tokens.size());
    for (std::size_t id = 0; id < spec_.tokens.size(); ++id)
      if (!spec_.tokens[id].empty()) out.Container::emplace_back(spec_.tokens[id], id);
    return out;
  }

  [[nodiscard]] Json merges() const {
    Json out = Json::array();
    for (TokenMerge const merge : spec_.merges)
      out.push_back(Json::array({spec_.tokens[static_cast<std::size_t>(merge.left)],
                                 spec_.tokens[static_cast<std::size_t>(merge.right)]}));
    return out;
  }

  TokenizerSpec const& spec_;
};

inline void write_json(nlohmann::ordered_json const& json, std::filesystem::path const& path) {
  std::string text;
  try {
    text = json.dump(2);
  } catch (nlohmann::json::exception const& error) {
    fail("tokenizer", path.string(), " can hold only UTF-8, but a token or the chat template is not: ", error.what());
  }
  AtomicFile file(path);
  file.write(text + "\n");
  file.commit();
}

}  // namespace detail

GRAFT_INLINE void write_hf_tokenizer(TokenizerSpec const& spec, std::filesystem::path const& directory) {
  validate(spec);
  if (merges_by_score(spec)) return write_hf_tokenizer(merges_from_scores(spec), directory);
  detail::HfTokenizerWriter const writer(spec);
  detail::write_json(writer.tokenizer(), directory / "tokenizer.json");
  detail::write_json(writer.config(), directory / "tokenizer_config.json");
}

}  // namespace graft
