// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/data/batches.hpp>
#include <graft/data/chat_format_on_demand.hpp>
#include <graft/data/tokenize_record.hpp>
#include <graft/data/unpaired_dataset.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace graft {

struct UnpairedDataOptions {
  Index batch_size = 0;             ///< answers of an optimizer step; must be given
  Index tokens_per_batch = 0;       ///< most tokens of a micro-batch; 0: no limit
  Index gradient_accumulation = 1;  ///< micro-batches of a step, of equally many answers (±1)
  Index max_length = 1024;          ///< tokens of prompt and answer; longer ones are cut at their end, and counted
  std::uint64_t seed = 0;           ///< of the order
  bool shuffle = true;              ///< a new order each epoch; else the file's
  UnpairedFields fields = {};
  std::optional<ChatFormat> chat_format = std::nullopt;  ///< else the one of the tokenizer's template
};

/// Reads, checks and tokenises a JSONL file of judged answers, as TRL's KTOTrainer. The chat format is recognised from the
/// tokenizer's template when the first conversation comes. Error: one for all bad lines, each with file, line and reason.
[[nodiscard]] inline UnpairedDataset load_unpaired(std::string const& path, Tokenizer const& tokenizer, UnpairedDataOptions const& options) {
  ChatFormatOnDemand format(tokenizer, options.chat_format);
  auto const tokenize = [&](Record const& record) {
    return tokenize_record(record, tokenizer, format.get(is_conversation(record)));
  };
  return load_unpaired_dataset(path, tokenize, {.max_length = options.max_length, .fields = options.fields});
}

/// A JSONL file of judged answers as a stream of optimizer steps: ordered by seed, packed without padding, resumable. Models
/// `DataSource<UnpairedBatch>`.
///   auto data = UnpairedData{"answers.jsonl", model.tokenizer(), {.batch_size = 8, .seed = 7}};
class UnpairedData : public BatchStream<UnpairedDataset> {
 public:
  /// Error: one for all bad lines, each with file, line and reason; options that contradict each other.
  UnpairedData(std::string const& path, Tokenizer const& tokenizer, UnpairedDataOptions const& options)
      : BatchStream((static_cast<void>(batch_options_of(options, "answers")), load_unpaired(path, tokenizer, options)), batch_options_of(options, "answers")) {}
  UnpairedData(UnpairedDataset data, UnpairedDataOptions const& options) : BatchStream(std::move(data), batch_options_of(options, "answers")) {}
};

static_assert(DataSource<UnpairedData, UnpairedBatch>);

}  // namespace graft
