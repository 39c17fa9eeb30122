// SPDX-License-Identifier: Apache-2.0
#include "record_nll.hpp"

#include <graft/data/chat_data.hpp>

#include <algorithm>

namespace cli {

graft::Evaluation record_nll(Session& session, ModelFlags const& model, NllFlags const& flags, bool adapters) {
  graft::ChatDataOptions options;
  options.max_length = flags.max_length;
  options.shuffle = false;
  options.chat_format = chosen_format(model, session.tokenizer());
  auto dataset = graft::load_chat_dataset(flags.data, session.tokenizer(), options);
  auto const records = dataset.report().records;
  options.tokens_per_batch = std::max(flags.tokens_per_batch, std::min(dataset.report().longest, flags.max_length));
  graft::Batches batches(std::move(dataset), {.tokens_per_batch = options.tokens_per_batch, .shuffle = false});
  auto evaluation = graft::evaluate(*session.model, batches.epochs(1), adapters);
  evaluation.records.resize(static_cast<std::size_t>(records));
  return evaluation;
}

}  // namespace cli
