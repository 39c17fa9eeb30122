// SPDX-License-Identifier: Apache-2.0
// Token ids, labels, truncation and dropped records against TRL's SFTTrainer; made by make_sft_data.py.
#include <graft/data/chat_data.hpp>

#include <doctest/doctest.h>
#include <graft/data/packed_dataset.hpp>
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

ChatDataOptions options_of(json const& options) {
  ChatDataOptions out{.batch_size = 1, .shuffle = false};
  out.max_length = options["max_length"].is_null() ? 1 << 20 : options["max_length"].get<Index>();
  if (options.value("truncation_mode", "keep_start") == "keep_end") out.truncation = Truncation::keep_end;
  out.supervision.assistant_only = options.value("assistant_only_loss", false);
  out.supervision.completion_only = options.value("completion_only_loss", true);
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
  REQUIRE(file["sets"].size() >= 16);
  for (json const& set : file["sets"]) {
    CAPTURE(set["name"].get<std::string>());
    Tokenizer const tokenizer(read_hf_tokenizer(fixtures / "sft" / set["tokenizer"].get<std::string>()));
    ChatDataOptions options = options_of(set["options"]);
    if (!set["chat_template"].is_null()) options.chat_format = ChatFormat::recognise(set["chat_template"].get<std::string>());
    Dataset const ours = load_chat_dataset((fixtures / "sft" / set["data"].get<std::string>()).string(), tokenizer, options);
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

TEST_CASE("sft parity: rows of packed records, and what is learnt in them, are those that TRL feeds its model") {
  auto const file = json::parse(read_file(fixtures / "sft/packing.json"));
  REQUIRE(file["cases"].size() >= 3);
  for (json const& entry : file["cases"]) {
    auto const lengths = entry["lengths"].get<std::vector<Index>>();
    auto const budget = entry["max_length"].get<Index>();
    std::vector<Index> cut;
    for (Index const length : lengths) cut.push_back(std::min(length, budget));
    auto const bins = pack_best_fit_decreasing(cut, budget);
    REQUIRE(bins.size() == entry["rows"].size());
    for (std::size_t r = 0; r < bins.size(); ++r) {
      std::vector<Index> documents;
      for (Index const i : bins[r]) documents.insert(documents.end(), static_cast<std::size_t>(cut[static_cast<std::size_t>(i)]), i);
      CHECK(documents == entry["rows"][r]["documents"].get<std::vector<Index>>());
    }
  }
  Tokenizer const tokenizer(read_hf_tokenizer(fixtures / "sft/tokenizer"));
  REQUIRE(file["trained"].size() >= 2);
  for (json const& set : file["trained"]) {
    CAPTURE(set["options"].dump());
    PackedDataset const ours(load_chat_dataset((fixtures / "sft" / set["data"].get<std::string>()).string(), tokenizer, options_of(set["options"])),
                             set["options"]["max_length"].get<Index>());
    REQUIRE(ours.size() == std::ssize(set["rows"]));
    for (Index r = 0; r < ours.size(); ++r) {
      json const& row = set["rows"][static_cast<std::size_t>(r)];
      TokenBatch batch;
      append_example(batch, ours[r]);
      CHECK(batch.ids == row["input_ids"].get<std::vector<std::int32_t>>());
      std::vector<std::int32_t> lengths, labels(batch.ids.size(), -100);
      for (std::size_t s = 1; s < batch.cu_seqlens.size(); ++s) lengths.push_back(batch.cu_seqlens[s] - batch.cu_seqlens[s - 1]);
      for (std::size_t n = 0; n < batch.rows.size(); ++n) labels[static_cast<std::size_t>(batch.rows[n]) + 1] = batch.targets[n];
      CHECK(lengths == row["seq_lengths"].get<std::vector<std::int32_t>>());
      CHECK(labels == row["labels"].get<std::vector<std::int32_t>>());
    }
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
