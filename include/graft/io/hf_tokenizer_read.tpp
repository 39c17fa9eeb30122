// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/config.hpp>
#include <graft/io/hf_json.hpp>
#include <graft/io/hf_pipeline.hpp>
#include <graft/io/hf_tokenizer.hpp>
#include <graft/io/mapped_file.hpp>
#include <graft/io/printable.hpp>

#include <nlohmann/json.hpp>

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

class HfTokenizerReader {
 public:
  explicit HfTokenizerReader(std::filesystem::path const& directory)
      : directory_(directory), file_(directory / "tokenizer.json") {}

  [[nodiscard]] TokenizerSpec read() {
    read_model(HfJson::member(file_.root(), "model"));
    read_added_tokens(HfJson::member(file_.root(), "added_tokens"));
    HfPipelineReader(file_, spec_).read();
    std::vector<std::string> prefix, suffix;
    read_post_processor(HfJson::member(file_.root(), "post_processor"), prefix, suffix);
    for (char const* name : {"tokenizer_config.json", "special_tokens_map.json"})
      if (std::filesystem::exists(directory_ / name)) read_config(HfJson(directory_ / name));
    apply_template(prefix, spec_.bos, spec_.add_bos, "before");
    apply_template(suffix, spec_.eos, spec_.add_eos, "after");
    if (std::filesystem::exists(directory_ / "chat_template.jinja")) {
      MappedFile const jinja(directory_ / "chat_template.jinja", "tokenizer");
      spec_.chat_template.assign(reinterpret_cast<char const*>(jinja.bytes().data()), jinja.bytes().size());
    }
    validate(spec_, (directory_ / "tokenizer.json").string());
    return std::move(spec_);
  }

 private:
  void read_model(Json const& model) {
    file_.check(model.is_object(), "model", "must be an object");
    std::string const type = file_.string(model, "type");
    file_.check(type == "BPE" || (type.empty() && model.contains("merges")), "model.type",
                "must be \"BPE\", the only one that graft supports: got \"", printable(type), "\"");
    Json const& dropout = HfJson::member(model, "dropout");
    file_.check(dropout.is_null() || dropout == 0, "model.dropout", "is not supported: got ", HfJson::short_dump(dropout));
    for (char const* key : {"continuing_subword_prefix", "end_of_word_suffix"})
      file_.check(file_.string(model, key).empty(), std::string("model.") + key, "is not supported: got \"",
                  printable(file_.string(model, key)), "\"");
    spec_.ignore_merges = file_.boolean(model, "ignore_merges", false);
    spec_.byte_fallback = file_.boolean(model, "byte_fallback", false);
    spec_.fuse_unk = file_.boolean(model, "fuse_unk", false);

    Json const& vocabulary = HfJson::member(model, "vocab");
    file_.check(vocabulary.is_object() && !vocabulary.empty(), "model.vocab", "must be an object with at least one token");
    std::size_t count = 0;
    for (auto const& entry : vocabulary.items())
      count = std::max(count, static_cast<std::size_t>(file_.id(entry.value(), "model.vocab")) + 1);
    file_.check(count <= 2 * vocabulary.size() + 4096, "model.vocab", "must have few gaps between its ids: got ids up to ",
                count - 1, " for ", vocabulary.size(), " tokens");
    spec_.tokens.resize(count);
    for (auto const& entry : vocabulary.items()) {
      auto const id = entry.value().get<std::size_t>();
      file_.check(spec_.tokens[id].empty(), "model.vocab", "must give every token its own id: ", id, " is that of \"",
                  printable(spec_.tokens[id]), "\" and \"", printable(entry.key()), "\"");
      spec_.tokens[id] = entry.key();
      ids_.emplace(entry.key(), static_cast<std::int32_t>(id));
    }
    read_merges(HfJson::member(model, "merges"));
    if (std::string const unk = file_.string(model, "unk_token"); !unk.empty()) {
      spec_.model_unk = find(unk);
      file_.check(spec_.model_unk.has_value(), "model.unk_token", "must be a token: got \"", printable(unk), "\"");
    }
  }

  /// Merges are pairs, or as older files write them one string with a blank.
  void read_merges(Json const& merges) {
    file_.check(merges.is_array(), "model.merges", "must be an array");
    spec_.merges.reserve(merges.size());
    for (Json const& merge : merges) {
      std::string left, right;
      if (merge.is_string()) {
        std::string const& text = merge.get_ref<std::string const&>();
        if (text.starts_with("#version")) continue;
        std::size_t const blank = text.find(' ');
        bool const two = blank != std::string::npos && text.find(' ', blank + 1) == std::string::npos;
        if (!two) file_.reject("model.merges", "must hold two tokens with a blank between: got ", HfJson::short_dump(merge));
        left = text.substr(0, blank);
        right = text.substr(blank + 1);
      } else {
        bool const pair = merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string();
        if (!pair) file_.reject("model.merges", "must hold strings or pairs of strings: got ", HfJson::short_dump(merge));
        left = merge[0].get<std::string>();
        right = merge[1].get<std::string>();
      }
      auto const left_id = ids_.find(left), right_id = ids_.find(right);
      if (left_id == ids_.end() || right_id == ids_.end())
        file_.reject("model.merges", "must join tokens of the vocabulary: got ", HfJson::short_dump(merge));
      if (!ids_.contains(left + right))
        file_.reject("model.merges", "must result in a token of the vocabulary: got ", HfJson::short_dump(merge));
      spec_.merges.push_back({left_id->second, right_id->second});
    }
  }

  void read_added_tokens(Json const& tokens) {
    file_.check(tokens.is_null() || tokens.is_array(), "added_tokens", "must be an array");
    for (Json const& token : tokens)
      add_token(file_, token, file_.id(HfJson::member(token, "id"), "added_tokens[].id"), "added_tokens[]");
  }

  void add_token(HfJson const& file, Json const& token, std::int32_t id, std::string const& key) {
    AddedToken added{.id = id,
                     .content = file.string(token, "content"),
                     .special = file.boolean(token, "special", false),
                     .normalized = file.boolean(token, "normalized", true),
                     .lstrip = file.boolean(token, "lstrip", false),
                     .rstrip = file.boolean(token, "rstrip", false),
                     .single_word = file.boolean(token, "single_word", false)};
    file.check(!added.content.empty(), key, "must have a content: id ", id, " has none");
    auto const known = find(added.content);
    file.check(!known || *known == id, key, "must have the id that the token has elsewhere: \"", printable(added.content),
               "\" has ", known.value_or(0), " and ", id);
    auto const taken = std::ranges::find(spec_.added_tokens, id, &AddedToken::id);
    bool const other_vocabulary = static_cast<std::size_t>(id) < spec_.tokens.size() &&
                                  !spec_.tokens[static_cast<std::size_t>(id)].empty() && !known;
    file.check(!other_vocabulary && (taken == spec_.added_tokens.end() || taken->content == added.content), key,
               "must not take the id of another token: got id ", id, " for \"", printable(added.content), "\"");
    ids_.emplace(added.content, id);
    if (taken != spec_.added_tokens.end())
      *taken = std::move(added);
    else
      spec_.added_tokens.push_back(std::move(added));
  }

  /// Collects the special tokens that a template puts before and after a single text.
  void read_post_processor(Json const& processor, std::vector<std::string>& prefix, std::vector<std::string>& suffix) const {
    if (processor.is_null()) return;
    std::string const type = file_.string(processor, "type");
    if (type == "ByteLevel") return;
    if (type == "Sequence") {
      for (Json const& part : HfJson::member(processor, "processors")) read_post_processor(part, prefix, suffix);
      return;
    }
    file_.check(type == "TemplateProcessing" && HfJson::member(processor, "single").is_array(), "post_processor",
                "must be null, ByteLevel, TemplateProcessing or a Sequence of these: got ", HfJson::short_dump(processor));
    bool after = false;
    for (Json const& part : HfJson::member(processor, "single")) {
      Json const& token = HfJson::member(HfJson::member(part, "SpecialToken"), "id");
      if (token.is_string())
        (after ? suffix : prefix).push_back(token.get<std::string>());
      else
        after = true;
    }
  }

  void apply_template(std::vector<std::string> const& tokens, std::optional<std::int32_t>& named, bool& add,
                      char const* place) {
    if (bos_eos_from_config_ || tokens.empty()) return;
    auto const id = find(tokens.front());
    if (!named) named = id;  // a folder without tokenizer_config.json
    file_.check(tokens.size() == 1 && id && id == named, "post_processor", "must put only the ",
                &named == &spec_.bos ? "BOS" : "EOS", " token ", place, " the text: it puts ", tokens.size(),
                " tokens, the first of them \"", printable(tokens.front()), "\"");
    add = true;
  }

  void read_config(HfJson const& config) {
    Json const& root = config.root();
    Json const& decoder = HfJson::member(root, "added_tokens_decoder");
    for (auto const& entry : decoder.items()) {
      bool const digits = !entry.key().empty() && entry.key().size() < 9 &&
                          entry.key().find_first_not_of("0123456789") == std::string::npos;
      config.check(digits, "added_tokens_decoder", "must have ids as keys: got \"", printable(entry.key()), "\"");
      add_token(config, entry.value(), std::stoi(entry.key()), "added_tokens_decoder");
    }
    auto const named = [&](char const* key, std::optional<std::int32_t>& id) {
      Json const& value = HfJson::member(root, key);
      if (value.is_null() || id) return;
      std::string const token = value.is_object() ? config.string(value, "content") : config.string(root, key);
      if (token.empty()) return;
      id = find(token);
      config.check(id.has_value(), key, "must be a token of tokenizer.json: got \"", printable(token), "\"");
      if (std::ranges::find(spec_.added_tokens, *id, &AddedToken::id) == spec_.added_tokens.end())
        spec_.added_tokens.push_back({.id = *id, .content = token, .special = true});
    };
    named("bos_token", spec_.bos);
    named("eos_token", spec_.eos);
    named("pad_token", spec_.pad);
    named("unk_token", spec_.unk);
    if (root.contains("add_bos_token") || root.contains("add_eos_token")) {
      bos_eos_from_config_ = true;  // transformers switches a flag off where its token has no name
      spec_.add_bos = config.boolean(root, "add_bos_token", false) && spec_.bos;
      spec_.add_eos = config.boolean(root, "add_eos_token", false) && spec_.eos;
    }
    spec_.clean_up_tokenization_spaces =
        config.boolean(root, "clean_up_tokenization_spaces", spec_.clean_up_tokenization_spaces);
    Json const& longest = HfJson::member(root, "model_max_length");
    config.check(longest.is_null() || longest.is_number(), "model_max_length", "must be a number: got ",
                 HfJson::short_dump(longest));
    if (longest.is_number() && longest > 0 && longest < 1e15) spec_.model_max_length = longest.get<std::int64_t>();
    read_chat_template(config, HfJson::member(root, "chat_template"));
  }

  /// One template, or a list of named ones of which "default" is taken.
  void read_chat_template(HfJson const& config, Json const& chat) {
    if (chat.is_string()) spec_.chat_template = chat.get<std::string>();
    config.check(chat.is_null() || chat.is_string() || chat.is_array(), "chat_template", "must be a string or a list");
    if (!chat.is_array()) return;
    for (Json const& entry : chat)
      if (HfJson::member(entry, "name") == "default") spec_.chat_template = config.string(entry, "template");
    config.check(!spec_.chat_template.empty(), "chat_template", "must have an entry named \"default\"");
  }

  [[nodiscard]] std::optional<std::int32_t> find(std::string const& token) const {
    auto const found = ids_.find(token);
    return found == ids_.end() ? std::nullopt : std::optional(found->second);
  }

  std::filesystem::path directory_;
  HfJson file_;
  TokenizerSpec spec_;
  std::unordered_map<std::string, std::int32_t> ids_;  ///< of the vocabulary and of added tokens
  bool bos_eos_from_config_ = false;
};

}  // namespace detail

GRAFT_INLINE TokenizerSpec read_hf_tokenizer(std::filesystem::path const& directory) {
  std::filesystem::path const file = directory / "tokenizer.json";
  require(std::filesystem::exists(file), "tokenizer", "a model folder must hold a tokenizer.json: ", file.string(),
          " does not exist (tokenizer.model and vocab.json alone are not supported)");
  return detail::HfTokenizerReader(directory).read();
}

}  // namespace graft
