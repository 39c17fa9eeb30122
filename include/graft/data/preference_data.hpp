// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/data/batches.hpp>
#include <graft/data/chat_format_on_demand.hpp>
#include <graft/data/preference_dataset.hpp>
#include <graft/text/chat_format.hpp>
#include <graft/text/tokenizer.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace graft {

struct PreferenceDataOptions {
  Index batch_size = 0;             ///< pairs of an optimizer step; must be given
  Index tokens_per_batch = 0;       ///< most tokens of a micro-batch; 0: no limit
  Index gradient_accumulation = 1;  ///< micro-batches of a step, of equally many pairs (±1)
  Index max_length = 1024;          ///< tokens of prompt and answer; longer ones are cut, and counted
  Truncation truncation = Truncation::keep_start;
  std::uint64_t seed = 0;  ///< of the order
  bool shuffle = true;     ///< a new order each epoch; else the file's
  bool share_prompts = true;  ///< what both answers of a pair begin with is computed once
  PreferenceFields fields = {};
  std::optional<ChatFormat> chat_format = std::nullopt;  ///< else the one of the tokenizer's template
};

/// Reads, checks and tokenises a JSONL file of pairs. The chat format is recognised from the tokenizer's template when the first
/// conversation comes. Error: one for all bad lines, each with file, line and reason.
[[nodiscard]] inline PreferenceDataset load_preferences(std::string const& path, Tokenizer const& tokenizer,
                                                        PreferenceDataOptions const& options) {
  ChatFormatOnDemand format(tokenizer, options.chat_format);
  auto const tokenize = [&](PreferenceRecord const& record) {
    return tokenize_pair(record, tokenizer, format.get(std::holds_alternative<PreferenceChat>(record)));
  };
  return load_preference_dataset(path, tokenize,
                                 {.max_length = options.max_length,
                                  .truncation = options.truncation,
                                  .share_prompts = options.share_prompts,
                                  .fields = options.fields});
}

/// A JSONL file of preferences as a stream of optimizer steps: ordered by seed, packed without padding, resumable. A pair is
/// never divided between micro-batches. Models `DataSource<PreferenceBatch>`.
///   auto data = PreferenceData{"pairs.jsonl", model.tokenizer(), {.batch_size = 4, .seed = 7}};
class PreferenceData : public BatchStream<PreferenceDataset> {
 public:
  /// Error: one for all bad lines, each with file, line and reason; options that contradict each other.
  PreferenceData(std::string const& path, Tokenizer const& tokenizer, PreferenceDataOptions const& options)
      : BatchStream((static_cast<void>(batch_options_of(options, "pairs")), load_preferences(path, tokenizer, options)), batch_options_of(options, "pairs")) {}
  PreferenceData(PreferenceDataset data, PreferenceDataOptions const& options) : BatchStream(std::move(data), batch_options_of(options, "pairs")) {}
};

static_assert(DataSource<PreferenceData, PreferenceBatch>);

}  // namespace graft
