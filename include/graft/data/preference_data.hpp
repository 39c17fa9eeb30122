// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/error.hpp>
#include <graft/data/batches.hpp>
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
  std::optional<ChatFormat> format = options.chat_format;
  auto const tokenize = [&](PreferenceRecord const& record) {
    if (std::holds_alternative<PreferenceChat>(record) && !format) format = ChatFormat::recognise(tokenizer.spec());
    return tokenize_pair(record, tokenizer, format ? &*format : nullptr);
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
      : BatchStream((static_cast<void>(batch_options(options)), load_preferences(path, tokenizer, options)), batch_options(options)) {}
  PreferenceData(PreferenceDataset data, PreferenceDataOptions const& options) : BatchStream(std::move(data), batch_options(options)) {}

 private:
  [[nodiscard]] static BatchOptions batch_options(PreferenceDataOptions const& options) {
    require(options.batch_size >= 1, "data", "batch_size, the pairs of a step, must be at least 1: got ", options.batch_size);
    BatchOptions const batches{.batch_size = options.batch_size,
                               .tokens_per_batch = options.tokens_per_batch,
                               .gradient_accumulation = options.gradient_accumulation,
                               .seed = options.seed,
                               .shuffle = options.shuffle};
    validate(batches);
    return batches;
  }
};

static_assert(DataSource<PreferenceData, PreferenceBatch>);

}  // namespace graft
