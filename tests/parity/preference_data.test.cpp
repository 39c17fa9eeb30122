// SPDX-License-Identifier: Apache-2.0
// Token ids, completions, truncation and dropped pairs against TRL's DPOTrainer; made by make_preference_data.py.
#include <graft/data/preference_data.hpp>

#include <doctest/doctest.h>
#include <graft/io/hf_tokenizer.hpp>
#include <nlohmann/json.hpp>
#include <support/files.hpp>

#include <string>
#include <vector>

using namespace graft;
using namespace graft::test;
using nlohmann::json;

TEST_CASE("preference data parity: ids and completions of every pair equal those of TRL's DPOTrainer") {
  auto const file = json::parse(read_file(fixtures / "preference/expected.json"));
  REQUIRE(file["sets"].size() == 8);
  for (json const& set : file["sets"]) {
    CAPTURE(set["data"].get<std::string>());
    CAPTURE(set["options"].dump());
    Tokenizer const tokenizer(read_hf_tokenizer(fixtures / "sft" / set["tokenizer"].get<std::string>()));
    PreferenceDataOptions options{.batch_size = 1, .shuffle = false};
    options.max_length = set["options"].value("max_length", Index{1} << 20);
    if (set["options"].value("truncation_mode", "keep_start") == "keep_end") options.truncation = Truncation::keep_end;
    PreferenceData const data((fixtures / "preference" / set["data"].get<std::string>()).string(), tokenizer, options);
    REQUIRE(data.size() == static_cast<Index>(set["rows"].size()));
    CHECK(data.report().dropped() == data.report().records - data.size());
    for (Index i = 0; i < data.size(); ++i) {
      auto const& row = set["rows"][static_cast<std::size_t>(i)];
      auto const& pair = data.dataset()[i];
      CAPTURE(pair.chosen.line);
      CHECK(pair.chosen.record == row["record"].get<Index>());
      CHECK(pair.chosen.ids == row["chosen"].get<std::vector<std::int32_t>>());
      CHECK(pair.rejected.ids == row["rejected"].get<std::vector<std::int32_t>>());
      PreferenceBatch batch;
      append_pair(batch, pair);
      CHECK(batch.completion_tokens == row["completions"].get<std::vector<std::int32_t>>());
    }
  }
}
