// SPDX-License-Identifier: Apache-2.0
// Token ids, labels, truncation and dropped records against TRL's SFTTrainer; made by make_sft_data.py.
#include <graft/data/chat_data.hpp>

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

namespace {

ChatDataOptions options_of(json const& options, std::string const& data) {
  ChatDataOptions out{.batch_size = 1, .shuffle = false};
  out.max_length = options["max_length"].is_null() ? 1 << 20 : options["max_length"].get<Index>();
  if (options.value("truncation_mode", "keep_start") == "keep_end") out.truncation = Truncation::keep_end;
  // In TRL, messages are learnt whole unless assistant_only_loss is set.
  out.supervision.everything = data == "messages.jsonl" ? !options.value("assistant_only_loss", false)
                                                        : !options.value("completion_only_loss", true);
  return out;
}

std::vector<std::int32_t> labels_of(Example const& example) {
  std::vector<std::int32_t> labels(example.ids.size(), -100);
  for (TokenSpan const& span : example.supervised)
    for (auto t = static_cast<std::size_t>(span.begin); t < static_cast<std::size_t>(span.end); ++t)
      labels[t] = example.ids[t];
  return labels;
}

}  // namespace

TEST_CASE("sft parity: ids and labels of every record equal those of TRL's SFTTrainer") {
  auto const file = json::parse(read_file(fixtures / "sft/expected.json"));
  REQUIRE(file["sets"].size() >= 13);
  for (json const& set : file["sets"]) {
    CAPTURE(set["name"].get<std::string>());
    Tokenizer const tokenizer(read_hf_tokenizer(fixtures / "sft" / set["tokenizer"].get<std::string>()));
    auto const data = set["data"].get<std::string>();
    Dataset const ours =
        load_chat_dataset((fixtures / "sft" / data).string(), tokenizer, options_of(set["options"], data));
    std::vector<Index> expected_drops;
    for (json const& record : set["dropped"]) expected_drops.push_back(record.get<Index>() + 1);
    Index next = 0;
    for (json const& row : set["rows"]) {
      auto const record = row["record"].get<Index>();
      CAPTURE(record);
      auto const labels = row["labels"].get<std::vector<std::int32_t>>();
      // TRL keeps a row whose only label is that of the first token, which nothing predicts; graft drops it.
      if (std::all_of(labels.begin() + 1, labels.end(), [](auto label) { return label == -100; })) {
        expected_drops.push_back(record + 1);
        continue;
      }
      REQUIRE(next < ours.size());
      Example const& example = ours[next++];
      CHECK(example.record == record);
      CHECK(example.line == record + 1);
      CHECK(example.ids == row["input_ids"].get<std::vector<std::int32_t>>());
      CHECK(labels_of(example) == labels);
    }
    CHECK(next == ours.size());
    std::ranges::sort(expected_drops);
    CHECK(ours.report().dropped_lines == expected_drops);
  }
}

TEST_CASE("sft parity: where a token joins prompt and completion the report names the line") {
  Tokenizer const tokenizer(read_hf_tokenizer(fixtures / "sft/tokenizer"));
  auto const report = [&](char const* name) {
    return load_chat_dataset((fixtures / "sft" / name).string(), tokenizer, {}).report();
  };
  CHECK(report("prompt_completion_chat.jsonl").merged_lines == std::vector<Index>{5});
  CHECK(report("prompt_completion_chat.jsonl").user_turns_learnt == 1);
  CHECK_FALSE(report("prompt_completion_text.jsonl").merged_lines.empty());
  CHECK(report("messages.jsonl").merged_lines == std::vector<Index>{7});
}
