// SPDX-License-Identifier: Apache-2.0
// Token ids, completions, truncation and dropped records against TRL's DPOTrainer and KTOTrainer; made by make_preference_data.py.
#include <graft/data/preference_data.hpp>
#include <graft/data/unpaired_data.hpp>

#include <doctest/doctest.h>
#include <graft/io/hf_tokenizer.hpp>
#include <nlohmann/json.hpp>
#include <support/files.hpp>

#include <algorithm>
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
      append_example(batch, pair);
      CHECK(batch.completion_tokens == row["completions"].get<std::vector<std::int32_t>>());
    }
  }
}

TEST_CASE("preference data parity: single answers, and the mismatched sequences of each batch, equal those of TRL's KTOTrainer") {
  auto const file = json::parse(read_file(fixtures / "preference/expected.json"));
  REQUIRE(file["unpaired"].size() == 4);
  Tokenizer const tokenizer(read_hf_tokenizer(fixtures / "sft/tokenizer"));
  using Ids = std::vector<std::int32_t>;
  for (json const& set : file["unpaired"]) {
    CAPTURE(set["data"].get<std::string>());
    CAPTURE(set["options"].dump());
    auto const batch_size = set["batch_size"].get<Index>();
    UnpairedData const data((fixtures / "preference" / set["data"].get<std::string>()).string(), tokenizer,
                            {.batch_size = batch_size, .max_length = set["options"].value("max_length", Index{1} << 20), .shuffle = false});
    auto const& answers = data.dataset();
    REQUIRE(answers.size() == static_cast<Index>(set["rows"].size()));
    for (Index i = 0; i < answers.size(); ++i) {
      auto const& row = set["rows"][static_cast<std::size_t>(i)];
      Index const begin = i / batch_size * batch_size, end = std::min(begin + batch_size, answers.size());
      CAPTURE(answers[i].line);
      CHECK(answers[i].record == row["record"].get<Index>());
      CHECK(answers[i].desirable == row["label"].get<bool>());
      UnpairedBatch own, mismatched;
      append_example(own, answers[i]);
      append_mismatched(mismatched, answers[i], answers[i > begin ? i - 1 : end - 1], answers.report().max_length);
      CHECK(own.ids == row["ids"].get<Ids>());
      CHECK(own.completion_tokens.front() == row["completion"].get<Index>());
      CHECK(mismatched.ids == row["kl_ids"].get<Ids>());
      CHECK(mismatched.completion_tokens.front() == row["kl_completion"].get<Index>());
    }
  }
}
