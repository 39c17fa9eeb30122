// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/config.hpp>

#include <string_view>

namespace graft {

/// How good one generated answer is.
struct AnswerScore {
  bool exact = false;         ///< the answer is the expected one
  double field_accuracy = 0;  ///< share of the expected fields that are right; 0 or 1 where the answer has no fields

  friend bool operator==(AnswerScore const&, AnswerScore const&) = default;
};

/// Scores an answer against the expected one.
/// If the expected answer is a JSON object with fields: the answer is exact if it is an object with the same keys and values,
/// whatever the order and the white space; a Markdown fence around it is forgiven, other text is not. Fields are counted
/// in the first object that stands anywhere in the answer, so that an answer in a sentence gets credit for what it has.
/// Otherwise: equality of the texts without the white space around them.
[[nodiscard]] AnswerScore score_answer(std::string_view expected, std::string_view answer);

}  // namespace graft

#ifndef GRAFT_COMPILED
#include <graft/train/answer_score.tpp>
#endif
