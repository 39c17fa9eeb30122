// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/data/dataset.hpp>

#include <graft/config.hpp>

namespace graft {

GRAFT_INLINE Dataset::Dataset(std::vector<Example> examples, DatasetReport report)
    : examples_(std::move(examples)), report_(std::move(report)) {
  require(!examples_.empty(), "data", "a data set must have at least one example");
  for (Example const& example : examples_)
    require(example.supervised_tokens() > 0, "data", "record ", example.record, " (line ", example.line,
            ") has no supervised token");
}

GRAFT_INLINE std::uint64_t Dataset::fingerprint() const {
  std::uint64_t hash = 0xcbf29ce484222325u;
  auto const mix = [&hash](Index value) { hash = (hash ^ static_cast<std::uint64_t>(value)) * 0x100000001b3u; };
  for (Example const& example : examples_) {
    mix(example.tokens());
    for (auto const id : example.ids) mix(id);
    for (TokenSpan const& span : example.supervised) mix(span.begin), mix(span.end);
  }
  return hash;
}

}  // namespace graft
