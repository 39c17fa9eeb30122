// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/config.hpp>
#include <graft/core/scalar.hpp>
#include <graft/data/batches.hpp>
#include <graft/data/dataset.hpp>
#include <graft/data/record.hpp>
#include <graft/data/tokenize_record.hpp>
#include <graft/text/chat_format.hpp>
#include <graft/text/tokenizer.hpp>

#include <cstdint>
#include <optional>
#include <string>

namespace graft {

struct ChatDataOptions {
  Index batch_size = 0;        ///< records of an optimizer step
  Index tokens_per_batch = 0;  ///< most tokens of a micro-batch; 0: no limit. One of the two must be given
  Index max_length = 1024;     ///< tokens of a record; longer ones are cut, and counted
  Truncation truncation = Truncation::keep_start;
  std::uint64_t seed = 0;                                ///< of the order
  bool shuffle = true;                                   ///< a new order each epoch; else the file's
  Index gradient_accumulation = 1;                       ///< micro-batches of an optimizer step (see `BatchOptions`)
  Supervision supervision = {};                          ///< what is learnt of a conversation
  RecordOptions fields = {};                             ///< names of the records' keys
  std::optional<ChatFormat> chat_format = std::nullopt;  ///< else the one of the tokenizer's template
};

/// Reads, checks and tokenises a JSONL file for a tokenizer. The chat format is recognised from the tokenizer's
/// template when the first conversation comes, so files of plain text need none.
/// Error: one for all bad lines, each with file, line and reason.
[[nodiscard]] Dataset load_chat_dataset(std::string const& path, Tokenizer const& tokenizer,
                                        ChatDataOptions const& options = {});

/// A JSONL file of conversations, prompts with completions, or text, as batches to train on or to evaluate:
///   auto data = ChatData{"train.jsonl", model.tokenizer(), {.tokens_per_batch = 2048, .seed = 7}};
///   for (auto const& batch : data.epochs(3)) …
/// All of it is read, checked and tokenised before the first batch; `report()` says what became of it.
class ChatData : public Batches {
 public:
  ChatData(std::string const& path, Tokenizer const& tokenizer, ChatDataOptions const& options)
      : Batches((static_cast<void>(batch_options_of(options)), load_chat_dataset(path, tokenizer, options)), batch_options_of(options)) {}
};

static_assert(DataSource<ChatData, TokenBatch>);

}  // namespace graft

#ifndef GRAFT_COMPILED
#include <graft/data/chat_data.tpp>
#endif
