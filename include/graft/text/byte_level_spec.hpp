// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/text/byte_alphabet.hpp>
#include <graft/text/tokenizer_spec.hpp>

#include <string>
#include <utility>
#include <vector>

namespace graft {

/// Special tokens of `byte_level_spec`, in the order of their ids.
struct ByteLevelSpecials {
  std::string pad = "<|pad|>";
  std::string bos = "<|im_start|>";  ///< as in SmolLM2's ChatML, where a turn's start doubles as BOS
  std::string eos = "<|im_end|>";
  std::vector<std::string> others = {};
};

/// A vocabulary that needs no training: id b is byte b, then the special tokens from id 256 on. No merges, so a text of
/// n bytes is n tokens. For small models made on the spot; with the default specials it speaks ChatML.
[[nodiscard]] inline TokenizerSpec byte_level_spec(ByteLevelSpecials const& specials = {}) {
  TokenizerSpec spec;
  spec.model = TokenizerModel::byte_level_bpe;
  spec.pre_tokenizer = PreTokenizer::gpt2;
  for (int byte = 0; byte < 256; ++byte)
    spec.tokens.push_back(detail::byte_alphabet().symbol(static_cast<unsigned char>(byte)));
  auto const add = [&spec](std::string const& content) {
    require(!content.empty(), "tokenizer", "a special token must not be empty");
    for (std::size_t id = 0; id < spec.tokens.size(); ++id)
      require(spec.tokens[id] != content, "tokenizer", "special tokens must differ from each other and from the bytes: ",
              content, " is id ", id, " already");
    auto const id = static_cast<std::int32_t>(spec.tokens.size());
    spec.tokens.push_back(content);
    spec.added_tokens.push_back({.id = id, .content = content, .special = true});
    return id;
  };
  spec.pad = add(specials.pad);
  spec.bos = add(specials.bos);
  spec.eos = add(specials.eos);
  for (std::string const& other : specials.others) add(other);
  return spec;
}

}  // namespace graft
