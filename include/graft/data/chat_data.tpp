// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/data/chat_data.hpp>

#include <graft/data/chat_format_on_demand.hpp>

namespace graft {

GRAFT_INLINE Dataset load_chat_dataset(std::string const& path, Tokenizer const& tokenizer,
                                       ChatDataOptions const& options) {
  ChatFormatOnDemand format(tokenizer, options.chat_format);
  auto const tokenize = [&](Record const& record) {
    return tokenize_record(record, tokenizer, format.get(is_conversation(record)), options.supervision);
  };
  return load_dataset(path, tokenize,
                      {.max_length = options.max_length, .truncation = options.truncation, .fields = options.fields});
}

}  // namespace graft
