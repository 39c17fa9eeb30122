// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/rng.hpp>
#include <graft/data/unpaired_data.hpp>

#include <cstdint>
#include <vector>

namespace graft::test {

/// Judged answers of random tokens, each behind a prompt of one to three, desirable and not in turn; cut to `max_length`.
[[nodiscard]] inline UnpairedDataset some_answers(Index count, Index vocabulary, Index max_length) {
  Rng rng(4);
  std::vector<UnpairedExample> examples;
  for (Index i = 0; i < count; ++i) {
    Index const prompt = 1 + i % 3, length = prompt + 2 + (2 * i) % 5;
    UnpairedExample example{{{}, {{prompt, length}}, i, i + 1}, i % 2 == 0};
    for (Index t = 0; t < length; ++t) example.ids.push_back(static_cast<std::int32_t>(rng.below(static_cast<std::uint64_t>(vocabulary))));
    example.completion.assign(example.ids.begin() + prompt, example.ids.end());
    example.truncate(max_length);
    examples.push_back(std::move(example));
  }
  DatasetReport report;
  report.max_length = max_length;
  return UnpairedDataset(std::move(examples), report);
}

}  // namespace graft::test
