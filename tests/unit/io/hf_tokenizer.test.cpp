// SPDX-License-Identifier: Apache-2.0
#include <graft/io/hf_tokenizer.hpp>

#include <graft/text/byte_level_spec.hpp>
#include <graft/text/tokenizer.hpp>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>
#include <support/files.hpp>
#include <support/message_of.hpp>

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

using namespace graft;
using nlohmann::json;
using test::message_of;

namespace {

json tokenizer_json() {
  return json::parse(R"({
    "version": "1.0", "truncation": null, "padding": null,
    "added_tokens": [{"id": 5, "content": "<s>", "special": true, "normalized": false, "lstrip": false, "rstrip": false,
                      "single_word": false}],
    "normalizer": null,
    "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
    "post_processor": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": false},
    "decoder": {"type": "ByteLevel"},
    "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": "", "end_of_word_suffix": "",
              "fuse_unk": false, "byte_fallback": false, "vocab": {"a": 0, "b": 1, "c": 2, "ab": 3, "abc": 4},
              "merges": ["a b", "ab c"]}})");
}

struct Folder {
  test::TemporaryDirectory directory;

  explicit Folder(json const& tokenizer, json const& config = json()) {
    test::write_file(directory / "tokenizer.json", tokenizer.dump());
    if (!config.is_null()) test::write_file(directory / "tokenizer_config.json", config.dump());
  }
  [[nodiscard]] TokenizerSpec read() const { return read_hf_tokenizer(directory.path()); }
};

std::string complaint(std::function<void(json&)> const& change, json const& config = json()) {
  json file = tokenizer_json();
  change(file);
  Folder const folder(file, config);
  return message_of([&] { (void)folder.read(); });
}

void says(std::string const& text, std::string const& part) {
  CAPTURE(text);
  CAPTURE(part);
  CHECK(text.starts_with("[tokenizer] "));
  CHECK(text.find(part) != std::string::npos);
}

json const sentencepiece_model = {{"type", "BPE"}, {"vocab", {{"a", 0}, {"▁", 1}, {"▁a", 2}}}, {"merges", json::array({json::array({"▁", "a"})})}};

}  // namespace

TEST_CASE("hf tokenizer: a small file is read whole") {
  TokenizerSpec const spec = Folder(tokenizer_json()).read();
  CHECK(spec.model == TokenizerModel::byte_level_bpe);
  CHECK(spec.pre_tokenizer == PreTokenizer::gpt2);
  CHECK(spec.tokens == std::vector<std::string>{"a", "b", "c", "ab", "abc"});
  CHECK(spec.merges == std::vector<TokenMerge>{{0, 1}, {3, 2}});
  CHECK(spec.added_tokens == std::vector<AddedToken>{{.id = 5, .content = "<s>", .special = true}});
  CHECK(Tokenizer(spec).encode("<s>abc ab") == std::vector<std::int32_t>{5, 4, 3});
}

TEST_CASE("hf tokenizer: the config names tokens and wins over the post-processor") {
  json const config = {{"bos_token", {{"content", "<s>"}}}, {"eos_token", "abc"},      {"add_eos_token", true},
                       {"model_max_length", 1e30},          {"chat_template", "{{x}}"}, {"clean_up_tokenization_spaces", true}};
  Folder const folder(tokenizer_json(), config);
  TokenizerSpec const spec = folder.read();
  CHECK(spec.bos == 5);
  CHECK(spec.eos == 4);
  CHECK(!spec.add_bos);
  CHECK(spec.add_eos);
  CHECK(spec.model_max_length == 0);
  CHECK(spec.chat_template == "{{x}}");
  CHECK(spec.clean_up_tokenization_spaces);
  CHECK(Tokenizer(spec).is_special(4));  // a named token is cut out like any special one
  test::write_file(folder.directory / "special_tokens_map.json", R"({"pad_token": "c", "eos_token": "a"})");
  test::write_file(folder.directory / "chat_template.jinja", "{{y}}");
  CHECK(folder.read().pad == 2);
  CHECK(folder.read().eos == 4);
  CHECK(folder.read().chat_template == "{{y}}");
}

TEST_CASE("hf tokenizer: BOS and EOS of a template") {
  json file = tokenizer_json();
  file["post_processor"] = json::parse(R"({"type": "Sequence", "processors": [{"type": "ByteLevel"}, {"type": "TemplateProcessing",
    "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}], "pair": [], "special_tokens": {}}]})");
  CHECK(Folder(file, {{"bos_token", "<s>"}}).read().add_bos);
  CHECK(Folder(file).read().bos == 5);
  CHECK(!Folder(file, {{"bos_token", "<s>"}, {"add_bos_token", false}}).read().add_bos);
  says(message_of([&] { (void)Folder(file, {{"bos_token", "abc"}}).read(); }), "must put only the BOS token before the text");
  says(complaint([](json& f) { f["post_processor"] = {{"type", "BertProcessing"}}; }), "post_processor must be null, ByteLevel");
}

TEST_CASE("hf tokenizer: a list of chat templates and tokens that only the config adds") {
  json const config = {{"chat_template", {{{"name", "tool"}, {"template", "t"}}, {{"name", "default"}, {"template", "d"}}}},
                       {"added_tokens_decoder", {{"6", {{"content", "<new>"}, {"special", true}, {"normalized", false}}}}}};
  TokenizerSpec const spec = Folder(tokenizer_json(), config).read();
  CHECK(spec.chat_template == "d");
  CHECK(Tokenizer(spec).encode("<new>") == std::vector<std::int32_t>{6});
}

TEST_CASE("hf tokenizer: pre-tokenizers are recognised by their patterns") {
  auto const kind = [](json const& step) {
    json file = tokenizer_json();
    json const bytes = {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", step["type"] == "Digits"}};
    file["pre_tokenizer"] = {{"type", "Sequence"}, {"pretokenizers", {step, bytes}}};
    return Folder(file).read().pre_tokenizer;
  };
  std::string const llama3 =
      "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|"
      "\\s+(?!\\S)|\\s+";
  auto const split = [](std::string const& pattern, char const* behavior, bool invert) {
    return json{{"type", "Split"}, {"pattern", {{"Regex", pattern}}}, {"behavior", behavior}, {"invert", invert}};
  };
  CHECK(kind({{"type", "Digits"}, {"individual_digits", true}}) == PreTokenizer::smollm);
  CHECK(kind(split(llama3, "Isolated", false)) == PreTokenizer::llama3);
  CHECK(kind(split(llama3, "Removed", true)) == PreTokenizer::llama3);
  std::string qwen2 = llama3;
  qwen2.erase(qwen2.find("{1,3}"), 5);
  CHECK(kind(split(qwen2, "Isolated", false)) == PreTokenizer::qwen2);
  CHECK(kind(split("'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+", "Isolated", false)) ==
        PreTokenizer::gpt2);
  for (json const& step : {split(llama3, "Removed", false), split(llama3, "MergedWithNext", false), split("\\w+", "Isolated", false),
                           json{{"type", "Digits"}, {"individual_digits", false}}, json{{"type", "Whitespace"}}})
    says(message_of([&] { (void)kind(step); }), "pre_tokenizer must be null, Metaspace without split, ByteLevel, or Digits");
}

TEST_CASE("hf tokenizer: SentencePiece in its three dresses") {
  auto const read = [](json const& normalizer, json const& pre_tokenizer) {
    json file = tokenizer_json();
    file["model"] = sentencepiece_model;
    file["normalizer"] = normalizer;
    file["pre_tokenizer"] = pre_tokenizer;
    file["decoder"] = {{"type", "Sequence"}, {"decoders", {{{"type", "Replace"}}, {{"type", "ByteFallback"}}, {{"type", "Fuse"}}}}};
    return Folder(file).read();
  };
  json const replace = {{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", "▁"}};
  json const prepend = {{"type", "Prepend"}, {"prepend", "▁"}};
  json const never_fires = {{"type", "Split"}, {"pattern", {{"String", " "}}}, {"behavior", "MergedWithPrevious"}, {"invert", false}};
  TokenizerSpec const gemma = read(replace, never_fires);
  CHECK(gemma.model == TokenizerModel::sentencepiece_bpe);
  CHECK(gemma.normalizer == Normalizer::replace_blanks);
  CHECK(gemma.pre_tokenizer == PreTokenizer::none);
  CHECK(Tokenizer(gemma).encode("a a") == std::vector<std::int32_t>{0, 2});
  TokenizerSpec const llama2 = read({{"type", "Sequence"}, {"normalizers", {prepend, replace}}}, nullptr);
  CHECK(llama2.blank_prefix == BlankPrefix::every_piece);
  CHECK(Tokenizer(llama2).encode("a a") == std::vector<std::int32_t>{2, 2});
  auto const metaspace = [&](char const* scheme, bool cut) {
    return read(nullptr, {{"type", "Metaspace"}, {"replacement", "▁"}, {"prepend_scheme", scheme}, {"split", cut}});
  };
  CHECK(metaspace("first", false).blank_prefix == BlankPrefix::first_piece);
  CHECK(metaspace("always", false).blank_prefix == BlankPrefix::every_piece);
  CHECK(metaspace("never", false).pre_tokenizer == PreTokenizer::metaspace);
  says(message_of([&] { (void)metaspace("first", true); }), "Metaspace without split");
  says(message_of([&] { (void)read(nullptr, never_fires); }), "pre_tokenizer must be");
  for (json const& other : {json{{"type", "Lowercase"}}, json{{"type", "NFKC"}}, json{{"type", "Precompiled"}},
                            json{{"type", "Replace"}, {"pattern", {{"Regex", " "}}}, {"content", "▁"}},
                            json{{"type", "Sequence"}, {"normalizers", {replace, prepend}}}, json("NFC")})
    says(message_of([&] { (void)read(other, nullptr); }), "normalizer");
}

TEST_CASE("hf tokenizer: what is wrong or not supported is named by file and key") {
  says(complaint([](json& f) { f = json::array(); }), "tokenizer.json: the file must be a JSON object");
  says(complaint([](json& f) { f.erase("model"); }), "model must be an object");
  says(complaint([](json& f) { f["model"]["type"] = "Unigram"; }), "model.type must be \"BPE\"");
  says(complaint([](json& f) { f["model"]["type"] = "WordPiece"; }), "got \"WordPiece\"");
  says(complaint([](json& f) { f["model"]["type"] = 3; }), "type must be a string: got 3");
  says(complaint([](json& f) { f["model"]["dropout"] = 0.1; }), "model.dropout is not supported: got 0.1");
  says(complaint([](json& f) { f["model"]["end_of_word_suffix"] = "</w>"; }), "model.end_of_word_suffix is not supported");
  says(complaint([](json& f) { f["model"]["continuing_subword_prefix"] = "##"; }), "continuing_subword_prefix is not supported");
  says(complaint([](json& f) { f["model"]["byte_fallback"] = 1; }), "byte_fallback must be true or false: got 1");
  says(complaint([](json& f) { f["model"]["byte_fallback"] = true; }), "byte_fallback belongs to SentencePiece");
  says(complaint([](json& f) { f["model"]["vocab"] = json::object(); }), "model.vocab must be an object with at least one token");
  says(complaint([](json& f) { f["model"]["vocab"]["x"] = -1; }), "model.vocab must be an id in 0..");
  says(complaint([](json& f) { f["model"]["vocab"]["x"] = 1.5; }), "got 1.5");
  says(complaint([](json& f) { f["model"]["vocab"]["x"] = 9e18; }), "model.vocab must be an id");
  says(complaint([](json& f) { f["model"]["vocab"]["x"] = 16000000; }), "must have few gaps between its ids");
  says(complaint([](json& f) { f["model"]["vocab"]["x"] = 3; }), "must give every token its own id: 3 is that of");
  says(complaint([](json& f) { f["model"]["merges"] = "a b"; }), "model.merges must be an array");
  says(complaint([](json& f) { f["model"]["merges"].push_back("ab"); }), "must hold two tokens with a blank between: got \"ab\"");
  says(complaint([](json& f) { f["model"]["merges"].push_back("a b c"); }), "must hold two tokens");
  says(complaint([](json& f) { f["model"]["merges"].push_back({"a", "b", "c"}); }), "must hold strings or pairs of strings");
  says(complaint([](json& f) { f["model"]["merges"].push_back({"a", 1}); }), "must hold strings or pairs");
  says(complaint([](json& f) { f["model"]["merges"].push_back("a x"); }), "must join tokens of the vocabulary: got \"a x\"");
  says(complaint([](json& f) { f["model"]["merges"].push_back("b a"); }), "must result in a token of the vocabulary: got \"b a\"");
  says(complaint([](json& f) { f["model"]["unk_token"] = "<u>"; }), "model.unk_token must be a token: got \"<u>\"");
  says(complaint([](json& f) { f["added_tokens"] = 1; }), "added_tokens must be an array");
  says(complaint([](json& f) { f["added_tokens"][0].erase("id"); }), "added_tokens[].id must be an id");
  says(complaint([](json& f) { f["added_tokens"][0]["content"] = ""; }), "must have a content");
  says(complaint([](json& f) { f["added_tokens"][0]["content"] = "abc"; }), "\"abc\" has 4 and 5");
  says(complaint([](json& f) { f["added_tokens"][0]["id"] = 0; }), "must not take the id of another token");
  says(complaint([](json& f) { f["added_tokens"][0]["special"] = "yes"; }), "special must be true or false: got \"yes\"");
  says(complaint([](json& f) { f["pre_tokenizer"]["add_prefix_space"] = true; }), "pre_tokenizer must be");
  says(complaint([](json& f) { f["decoder"] = {{"type", "WordPiece"}}; }), "decoder must be ByteLevel with this model");
  auto const same = [](json&) {};
  says(complaint(same, {{"eos_token", "<none>"}}), "tokenizer_config.json: eos_token must be a token of tokenizer.json");
  says(complaint(same, {{"bos_token", 3}}), "bos_token must be a string: got 3");
  says(complaint(same, {{"model_max_length", "long"}}), "model_max_length must be a number");
  says(complaint(same, {{"chat_template", 1}}), "chat_template must be a string or a list");
  says(complaint(same, {{"chat_template", json::array()}}), "must have an entry named \"default\"");
  says(complaint(same, {{"added_tokens_decoder", {{"x", {{"content", "y"}}}}}}), "must have ids as keys: got \"x\"");
  says(complaint(same, {{"added_tokens_decoder", {{"5", {{"content", "<other>"}}}}}}), "must not take the id of another");
}

TEST_CASE("hf tokenizer: files that are missing, cut off or no JSON") {
  test::TemporaryDirectory const empty;
  says(message_of([&] { (void)read_hf_tokenizer(empty.path()); }), "tokenizer.json does not exist");
  Folder const folder(tokenizer_json());
  std::string const text = test::read_file(folder.directory / "tokenizer.json");
  for (std::size_t size = 0; size < text.size(); size += 7) {
    test::write_file(folder.directory / "tokenizer.json", text.substr(0, size));
    CHECK(message_of([&] { (void)folder.read(); }).starts_with("[tokenizer] "));
  }
  test::write_file(folder.directory / "tokenizer.json", "{\"model\": \"\xFF\"}");
  says(message_of([&] { (void)folder.read(); }), "this is not valid JSON");
  test::write_file(folder.directory / "tokenizer.json", R"({"model": {"vocab": {"a": 0, "a": 1}}})");
  says(message_of([&] { (void)folder.read(); }), "the key \"a\" occurs twice");
}

TEST_CASE("hf tokenizer: what is written is read back the same") {
  for (std::string const kind : {"gpt2", "smollm", "llama3", "qwen2", "sentencepiece"}) {
    CAPTURE(kind);
    TokenizerSpec spec = read_hf_tokenizer(test::fixtures / "text" / kind);
    spec.chat_template = "{{ 'ü\n' }}";
    spec.clean_up_tokenization_spaces = true;
    test::TemporaryDirectory const folder;
    write_hf_tokenizer(spec, folder.path());
    std::ranges::sort(spec.added_tokens, {}, &AddedToken::id);
    CHECK(read_hf_tokenizer(folder.path()) == spec);
  }
}

TEST_CASE("hf tokenizer: every leading blank and template survives writing") {
  TokenizerSpec spec;
  spec.model = TokenizerModel::sentencepiece_bpe;
  spec.tokens = {"a", "▁", "▁a", "<s>"};
  spec.merges = {{1, 0}};
  spec.added_tokens = {{.id = 3, .content = "<s>", .special = true}};
  spec.bos = spec.eos = 3;
  spec.add_bos = spec.add_eos = true;
  for (BlankPrefix const prefix : {BlankPrefix::never, BlankPrefix::first_piece, BlankPrefix::every_piece})
    for (PreTokenizer const step : {PreTokenizer::none, PreTokenizer::metaspace}) {
      if (prefix == BlankPrefix::first_piece && step == PreTokenizer::none) continue;
      spec.blank_prefix = prefix;
      spec.pre_tokenizer = step;
      spec.normalizer = step == PreTokenizer::none ? Normalizer::replace_blanks : Normalizer::none;
      test::TemporaryDirectory const folder;
      write_hf_tokenizer(spec, folder.path());
      CHECK(read_hf_tokenizer(folder.path()) == spec);
    }
}

TEST_CASE("hf tokenizer: scores are written as a rank table") {
  TokenizerSpec spec;
  spec.model = TokenizerModel::sentencepiece_bpe;
  spec.normalizer = Normalizer::replace_blanks;
  spec.tokens = {"a", "b", "ab", "▁"};
  spec.scores = {-2, -3, -1, -4};
  test::TemporaryDirectory const folder;
  write_hf_tokenizer(spec, folder.path());
  TokenizerSpec const again = read_hf_tokenizer(folder.path());
  CHECK(again.merges == std::vector<TokenMerge>{{0, 1}});
  CHECK(Tokenizer(again).encode("ab b") == Tokenizer(spec).encode("ab b"));
}

TEST_CASE("hf tokenizer: what cannot be written is refused and leaves no half file") {
  test::TemporaryDirectory const folder;
  TokenizerSpec spec = byte_level_spec();
  CHECK(message_of([&] { write_hf_tokenizer(spec, folder / "missing"); }).find("missing/tokenizer.json") != std::string::npos);
  spec.tokens.push_back("\xFF");
  says(message_of([&] { write_hf_tokenizer(spec, folder.path()); }), "tokenizer.json can hold only UTF-8");
  CHECK(std::filesystem::is_empty(folder.path()));
}
