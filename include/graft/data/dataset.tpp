// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/data/dataset.hpp>

#include <graft/config.hpp>
#include <graft/data/fingerprint.hpp>

namespace graft {

GRAFT_INLINE Dataset::Dataset(std::vector<Example> examples, DatasetReport report)
    : examples_(std::move(examples)), report_(std::move(report)) {
  require(!examples_.empty(), "data", "a data set must have at least one example");
  for (Example const& example : examples_)
    require(example.supervised_tokens() > 0, "data", "record ", example.record, " (line ", example.line,
            ") has no supervised token");
}

GRAFT_INLINE std::uint64_t Dataset::fingerprint() const {
  Fingerprint fingerprint;
  for (Example const& example : examples_) fingerprint.mix(example);
  return fingerprint.value();
}

}  // namespace graft
