// SPDX-License-Identifier: Apache-2.0
// Filtered probabilities against transformers' logits processors: fixture by tests/parity/make_sampling.py.
#include <graft/model/sampling.hpp>

#include <graft/io/json_file.hpp>

#include <doctest/doctest.h>

using namespace graft;

TEST_CASE("sampling parity: every combination of filters gives transformers' probabilities") {
  detail::Json const file =
      detail::parse_json_file(std::filesystem::path(GRAFT_FIXTURES_DIR) / "sampling" / "processors.json", "test");
  for (auto const& test : file["cases"]) {
    auto const& settings = test["settings"];
    Sampling sampling;
    sampling.greedy = false;
    sampling.temperature = settings.value("temperature", 1.0);
    sampling.top_k = settings.value("top_k", Index{0});
    sampling.top_p = settings.value("top_p", 1.0);
    sampling.min_p = settings.value("min_p", 0.0);
    sampling.repetition_penalty = settings.value("repetition_penalty", 1.0);
    CAPTURE(settings.dump());
    Sampler sampler(sampling);
    for (std::size_t row = 0; row < file["logits"].size(); ++row) {
      auto const logits = file["logits"][row].get<std::vector<double>>();
      auto const seen = file["previous_ids"][row].get<std::vector<std::int32_t>>();
      auto const expected = test["probabilities"][row].get<std::vector<double>>();
      auto const actual = sampler.probabilities(std::span<double const>(logits), seen);
      double largest = 0;
      for (std::size_t v = 0; v < expected.size(); ++v) largest = std::max(largest, std::abs(actual[v] - expected[v]));
      CHECK_MESSAGE(largest <= 1e-12, "row ", row, " deviates by ", largest);
    }
  }
}
