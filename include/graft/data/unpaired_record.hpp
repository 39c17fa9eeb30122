// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/config.hpp>
#include <graft/data/preference_record.hpp>
#include <graft/data/record.hpp>

#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace graft {

/// A prompt with one answer, and whether people found that desirable.
struct UnpairedRecord {
  Record record;  ///< prompt and completion, strings or messages
  bool desirable = false;
};

/// The keys of such a record, and of a pair, which is two of them.
struct UnpairedFields {
  std::string prompt = "prompt";
  std::string completion = "completion";
  std::string label = "label";
  std::string chosen = "chosen";
  std::string rejected = "rejected";
};

/// Reads one JSON line in the shapes that TRL's KTOTrainer takes: `{"prompt": …, "completion": …, "label": true|false}`, or a pair as
/// `parse_preference` reads it, whose chosen answer is desirable and whose rejected one is not.
/// Source: huggingface/trl, docs/source/dataset_formats.md.
/// Errors: as `parse_record` and `parse_preference`; a label that is missing or neither true nor false.
[[nodiscard]] std::vector<UnpairedRecord> parse_unpaired(std::string_view line, UnpairedFields const& fields,
                                                         std::set<std::string>& ignored_keys);

}  // namespace graft

#ifndef GRAFT_COMPILED
#include <graft/data/unpaired_record.tpp>
#endif
