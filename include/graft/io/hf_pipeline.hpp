// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/io/hf_json.hpp>
#include <graft/io/hf_pattern.hpp>
#include <graft/text/tokenizer_spec.hpp>

#include <vector>

namespace graft::detail {

/// Recognises the steps around the model of a `tokenizer.json` and puts them into a spec.
class HfPipelineReader {
 public:
  HfPipelineReader(HfJson const& file, TokenizerSpec& spec) : file_(file), spec_(spec) {}

  void read() {
    read_normalizer(HfJson::member(file_.root(), "normalizer"));
    read_pre_tokenizer(HfJson::member(file_.root(), "pre_tokenizer"));
    read_decoder(HfJson::member(file_.root(), "decoder"));
  }

 private:
  void read_normalizer(Json const& normalizer) {
    if (normalizer.is_null()) return;
    std::string const type = file_.string(normalizer, "type");
    constexpr char const* supported =
        "must be null, NFC, Replace of \" \" by U+2581, Prepend of U+2581 before it, or a Sequence of these: got ";
    if (type == "Sequence") {
      Json const& parts = HfJson::member(normalizer, "normalizers");
      file_.check(parts.is_array(), "normalizer", supported, HfJson::short_dump(normalizer));
      for (Json const& part : parts) read_normalizer(part);
      return;
    }
    bool const first = spec_.normalizer == Normalizer::none;
    if (type == "NFC" && first && spec_.blank_prefix == BlankPrefix::never) {
      spec_.normalizer = Normalizer::nfc;
    } else if (type == "Prepend" && first && HfJson::member(normalizer, "prepend") == "▁") {
      spec_.blank_prefix = BlankPrefix::every_piece;
    } else {
      bool const blanks = type == "Replace" && first && HfJson::member(normalizer, "content") == "▁" &&
                          HfJson::member(HfJson::member(normalizer, "pattern"), "String") == " ";
      file_.check(blanks, "normalizer", supported, HfJson::short_dump(normalizer));
      spec_.normalizer = Normalizer::replace_blanks;
    }
  }

  void read_pre_tokenizer(Json const& pre_tokenizer) {
    std::vector<Json> steps;
    Json const& sequence = HfJson::member(pre_tokenizer, "pretokenizers");
    if (sequence.is_array())
      steps.assign(sequence.begin(), sequence.end());
    else if (!pre_tokenizer.is_null())
      steps.push_back(pre_tokenizer);
    auto const is = [&steps](std::size_t i, char const* type) {
      return i < steps.size() && HfJson::member(steps[i], "type") == type;
    };
    auto const supported = [&](bool condition) {
      file_.check(condition, "pre_tokenizer",
                  "must be null, Metaspace without split, ByteLevel, or Digits (individual) or Split by the pattern of "
                  "GPT-2, Llama 3 or Qwen 2 followed by ByteLevel without prefix space: got ",
                  HfJson::short_dump(pre_tokenizer));
    };
    bool const byte_level = !steps.empty() && is(steps.size() - 1, "ByteLevel");
    spec_.model = byte_level ? TokenizerModel::byte_level_bpe : TokenizerModel::sentencepiece_bpe;
    if (!byte_level) {
      supported(steps.size() <= 1);
      if (is(0, "Metaspace")) return read_metaspace(steps[0], supported);
      // Gemma cuts at blanks, of which its normalizer has left none.
      bool const no_effect = is(0, "Split") && HfJson::member(HfJson::member(steps[0], "pattern"), "String") == " " &&
                             spec_.normalizer == Normalizer::replace_blanks;
      return supported(steps.empty() || no_effect);
    }
    supported(!file_.boolean(steps.back(), "add_prefix_space", true));
    bool const own_pattern = file_.boolean(steps.back(), "use_regex", true);
    if (steps.size() == 1) {
      spec_.pre_tokenizer = own_pattern ? PreTokenizer::gpt2 : PreTokenizer::none;
    } else if (steps.size() == 2 && own_pattern) {
      supported(is(0, "Digits") && file_.boolean(steps[0], "individual_digits", false));
      spec_.pre_tokenizer = PreTokenizer::smollm;
    } else {
      Json const& pattern = HfJson::member(HfJson::member(steps[0], "pattern"), "Regex");
      Json const& behavior = HfJson::member(steps[0], "behavior");
      bool const invert = file_.boolean(steps[0], "invert", false);
      // The patterns match every character, so keeping the matches or cutting at them is the same.
      supported(steps.size() == 2 && is(0, "Split") && pattern.is_string() &&
                ((behavior == "Isolated" && !invert) || (behavior == "Removed" && invert)));
      auto const kind = pre_tokenizer_of_pattern(pattern.get<std::string>());
      supported(kind.has_value());
      spec_.pre_tokenizer = *kind;
    }
  }

  template <class Supported>
  void read_metaspace(Json const& step, Supported const& supported) {
    Json const& scheme = HfJson::member(step, "prepend_scheme");
    supported(HfJson::member(step, "replacement") == "▁" && !file_.boolean(step, "split", true) &&
              spec_.blank_prefix == BlankPrefix::never && spec_.normalizer == Normalizer::none &&
              (scheme.is_null() || scheme == "always" || scheme == "first" || scheme == "never"));
    spec_.pre_tokenizer = PreTokenizer::metaspace;
    bool const prefix = file_.boolean(step, "add_prefix_space", true);  // of files from before prepend_scheme
    spec_.blank_prefix = scheme == "never" || !prefix ? BlankPrefix::never
                         : scheme == "first"          ? BlankPrefix::first_piece
                                                      : BlankPrefix::every_piece;
  }

  /// `decode` follows from the model; here only that the file does not ask for something else.
  void read_decoder(Json const& decoder) const {
    std::vector<Json> steps;
    Json const& sequence = HfJson::member(decoder, "decoders");
    if (sequence.is_array())
      steps.assign(sequence.begin(), sequence.end());
    else if (!decoder.is_null())
      steps.push_back(decoder);
    bool const bytes = spec_.model == TokenizerModel::byte_level_bpe;
    for (Json const& step : steps) {
      Json const& type = HfJson::member(step, "type");
      bool const known = bytes ? type == "ByteLevel"
                               : type == "Replace" || type == "ByteFallback" || type == "Fuse" || type == "Strip";
      file_.check(known, "decoder", "must be ", bytes ? "ByteLevel" : "a Sequence of Replace, ByteFallback, Fuse and Strip",
                  " with this model: got ", HfJson::short_dump(decoder));
    }
  }

  HfJson const& file_;
  TokenizerSpec& spec_;
};

}  // namespace graft::detail
