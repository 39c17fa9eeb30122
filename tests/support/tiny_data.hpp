// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/rng.hpp>
#include <graft/data/dataset.hpp>
#include <graft/model/config.hpp>

#include <utility>
#include <vector>

namespace graft::test {

/// Random records for a tiny model, of 2 to `longest` tokens; the last part of each is supervised. With `gaps` every
/// third record of the file is missing, as if it had been dropped.
[[nodiscard]] inline Dataset tiny_dataset(ModelConfig const& config, Index records, std::uint64_t seed = 5, Index longest = 9,
                                          bool gaps = false) {
  Rng rng(seed);
  std::vector<Example> examples;
  for (Index record = 0; record < records; ++record) {
    if (gaps && record % 3 == 1) continue;
    Example example{.ids = {}, .supervised = {}, .record = record, .line = record + 1};
    auto const length = 2 + static_cast<Index>(rng.below(static_cast<std::uint64_t>(longest - 1)));
    for (Index t = 0; t < length; ++t)
      example.ids.push_back(static_cast<std::int32_t>(rng.below(static_cast<std::uint64_t>(config.vocab_size))));
    append_span(example.supervised, static_cast<Index>(rng.below(static_cast<std::uint64_t>(length - 1))), length);
    examples.push_back(std::move(example));
  }
  return Dataset(std::move(examples));
}

/// The values of all that a model trains, one after the other.
template <class Model>
[[nodiscard]] std::vector<typename Model::ScalarType> trained_values(Model const& model) {
  std::vector<typename Model::ScalarType> values;
  for (auto const& param : model.trainable().params)
    values.insert(values.end(), param.value.data, param.value.data + param.value.size());
  return values;
}

}  // namespace graft::test
