// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/data/batches.hpp>
#include <graft/data/chat_format_on_demand.hpp>
#include <graft/data/ranked_record.hpp>
#include <graft/data/read_records.hpp>
#include <graft/data/reward_dataset.hpp>
#include <graft/data/tokenize_record.hpp>
#include <graft/text/encode_chat.hpp>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace graft {

struct RewardDataOptions {
  Index batch_size = 0;        ///< groups of an optimizer step
  Index tokens_per_batch = 0;  ///< most tokens of a micro-batch; 0: no limit. One of the two must be given
  Index max_length =
      1024;                ///< tokens of an answer with its prompt; a record with a longer one is left out, and counted
  std::uint64_t seed = 0;  ///< of the order
  bool shuffle = true;     ///< a new order each epoch; else the file's
  bool share_prompts = true;  ///< what the answers of a group begin with is computed once
  Index gradient_accumulation = 1;                       ///< micro-batches of an optimizer step
  bool parse_special_in_content = true;                  ///< as in `Supervision`
  std::optional<ChatFormat> chat_format = std::nullopt;  ///< else the one of the tokenizer's template
};

/// Tokens of what is to be judged, as TRL's RewardTrainer makes them: text begins with BOS where the tokenizer adds it and
/// ends with EOS once; a conversation is what the format renders, without a generation prompt. The last token is where the
/// reward is read. The format is recognised from the tokenizer's template when the first conversation comes.
class AnswerTokenizer {
 public:
  AnswerTokenizer(Tokenizer const& tokenizer, std::optional<ChatFormat> format, bool parse_special_in_content = true)
      : tokenizer_(&tokenizer), format_(tokenizer, std::move(format)), parse_special_(parse_special_in_content) {}

  [[nodiscard]] std::vector<std::int32_t> operator()(std::string const& text) const {
    return detail::encode_to_end(*tokenizer_, text);
  }
  [[nodiscard]] std::vector<std::int32_t> operator()(std::vector<Message> const& messages) {
    return encode_chat(*tokenizer_, *format_.get(true), messages, {.parse_special_in_content = parse_special_}).ids;
  }

 private:
  Tokenizer const* tokenizer_;
  ChatFormatOnDemand format_;
  bool parse_special_;
};

/// The tokens that `AnswerTokenizer` puts behind an answer: EOS behind text (`format` is null), in a conversation the end of the
/// assistant's turn with what the format writes after it.
[[nodiscard]] inline std::vector<std::int32_t> answer_ending(Tokenizer const& tokenizer, ChatFormat const* format) {
  if (format != nullptr) return tokenizer.encode(format->spec().roles.at("assistant").suffix);
  auto const eos = tokenizer.eos();
  return eos ? std::vector<std::int32_t>{*eos} : std::vector<std::int32_t>{};
}

namespace detail {

/// Counts an example and keeps it if something can be learnt from it.
inline void add_example(std::vector<RewardExample>& examples, RewardReport& report, RewardExample example) {
  report.longest = std::max(report.longest, example.longest());
  if (example.longest() > report.max_length) return report.too_long_lines.push_back(example.line);
  if (example.pairs() == 0) return report.undecided_lines.push_back(example.line);
  if (example.answers.front() == example.answers.back()) report.identical_lines.push_back(example.line);
  ++report.groups;
  report.answers += static_cast<Index>(example.answers.size());
  report.pairs += example.pairs();
  report.tokens += example.tokens();
  examples.push_back(std::move(example));
}

}  // namespace detail

/// Reads, checks and tokenises a JSONL file (plain or gzip) of pairs and rankings (see `parse_ranked_record`).
/// Error: one for all bad lines, each with file, line and reason; a file of which nothing is kept.
[[nodiscard]] inline RewardDataset load_reward_dataset(std::string const& path, Tokenizer const& tokenizer,
                                                       RewardDataOptions const& options = {}) {
  require(options.max_length >= 1, "data", "max_length must be at least 1: got ", options.max_length);
  AnswerTokenizer tokenize(tokenizer, options.chat_format, options.parse_special_in_content);
  RewardReport report;
  report.path = path;
  report.max_length = options.max_length;
  std::vector<RewardExample> examples;
  std::vector<std::string> sources;
  read_records(path, {}, report, [&](std::string const& line, Index record, Index line_number) {
    auto ranked = parse_ranked_record(line, report.ignored_keys);
    RewardExample example{{}, std::move(ranked.ranks), static_cast<float>(ranked.margin), -1, record, line_number};
    std::visit(
        [&](auto const& answers) {
          for (auto const& answer : answers) example.answers.push_back(tokenize(answer));
        },
        ranked.answers);
    if (options.share_prompts) example.share();
    if (!ranked.source.empty()) {
      auto const known = std::ranges::find(sources, ranked.source);
      example.source = static_cast<std::int32_t>(known - sources.begin());
      if (known == sources.end()) sources.push_back(ranked.source);
    }
    detail::add_example(examples, report, std::move(example));
  });
  require(!examples.empty(), "data", path, ": none of ", report.records,
          " records is left: ", report.too_long_lines.size(),
          " have an answer of more than max_length=", options.max_length, " tokens (longest ", report.longest, "), ",
          report.undecided_lines.size(), " have no better answer");
  return RewardDataset(std::move(examples), std::move(sources), std::move(report));
}

/// A JSONL file of pairs and rankings as batches to train a reward model on, or to evaluate it:
///   auto data = RewardData{"pairs.jsonl", model.tokenizer(), {.batch_size = 4, .seed = 7}};
class RewardData : public BatchStream<RewardDataset> {
 public:
  RewardData(std::string const& path, Tokenizer const& tokenizer, RewardDataOptions const& options)
      : BatchStream((static_cast<void>(batch_options_of(options)), load_reward_dataset(path, tokenizer, options)), batch_options_of(options)) {}
};

static_assert(DataSource<RewardData, RewardBatch>);

}  // namespace graft
