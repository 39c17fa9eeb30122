// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/data/chat_data.hpp>

#include <graft/core/error.hpp>

namespace graft {

GRAFT_INLINE Dataset load_chat_dataset(std::string const& path, Tokenizer const& tokenizer,
                                       ChatDataOptions const& options) {
  std::optional<ChatFormat> format = options.chat_format;
  std::optional<Error> unknown;
  auto const tokenize = [&](Record const& record) {
    if (is_conversation(record) && !format) {
      if (unknown) throw *unknown;
      try {
        format = ChatFormat::recognise(tokenizer.spec());
      } catch (Error const& error) {
        unknown = error;
        throw;
      }
    }
    return tokenize_record(record, tokenizer, format ? &*format : nullptr, options.supervision);
  };
  return load_dataset(path, tokenize,
                      {.max_length = options.max_length, .truncation = options.truncation, .fields = options.fields});
}

}  // namespace graft
