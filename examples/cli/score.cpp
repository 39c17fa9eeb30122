// SPDX-License-Identifier: Apache-2.0
// graft score: what a reward model says of each record of a file, a JSON line each.
#include "commands.hpp"
#include "session.hpp"

#include <graft/data/reward_data.hpp>
#include <graft/train/evaluate_reward.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <iostream>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace cli {

namespace {

struct ScoreFlags {
  ModelFlags model;
  std::string data;
  graft::Index max_length = 2048;
  bool pairs = false;
};

/// The rewards of records that are one text each.
void score_texts(ScoreFlags const& flags, Session& session) {
  graft::LineReader reader(flags.data, {});
  graft::AnswerTokenizer tokenize(session.tokenizer(), chosen_format(flags.model, session.tokenizer()));
  std::set<std::string> ignored;
  std::string line;
  while (reader.next(line)) {
    if (graft::is_blank(line)) continue;
    std::vector<std::int32_t> ids;
    try {
      ids = std::visit([&](auto const& text) { return tokenize(text); }, graft::parse_scored_text(line, ignored));
    } catch (graft::Error const& error) {
      graft::fail("data", flags.data, ":", reader.line_number(), ": ", error.what());
    }
    auto const tokens = static_cast<graft::Index>(ids.size());
    graft::require(tokens <= flags.max_length, "data", flags.data, ":", reader.line_number(), ": the record has ", tokens,
                   " tokens, more than --max-length ", flags.max_length);
    graft::TokenBatch batch;
    batch.ids = std::move(ids);
    batch.cu_seqlens = {0, static_cast<std::int32_t>(tokens)};
    batch.rows = {static_cast<std::int32_t>(tokens - 1)};
    session.model->forward(batch, {.heads = graft::Heads::score});
    auto const scores = session.model->scores();
    nlohmann::ordered_json out{{"line", reader.line_number()}, {"reward", scores[0]}, {"tokens", tokens}};
    if (scores.size() > 1) out["reward"] = std::vector<double>(scores.begin(), scores.end());
    std::cout << out.dump() << '\n';
  }
}

/// The rewards of every answer, from best to worst, and how often the better one has more.
void score_pairs(ScoreFlags const& flags, Session& session) {
  graft::RewardDataOptions options{.max_length = flags.max_length};
  options.chat_format = chosen_format(flags.model, session.tokenizer());
  graft::BatchStream<graft::RewardDataset> batches(graft::load_reward_dataset(flags.data, session.tokenizer(), options),
                                                   {.batch_size = 2, .shuffle = false});
  std::cerr << batches.report();
  auto const evaluation = graft::evaluate_reward(*session.model, batches.epochs(1));
  for (graft::Index i = 0; i < batches.size(); ++i) {
    auto const& example = batches.dataset()[i];
    std::cout << nlohmann::ordered_json{{"line", example.line}, {"rewards", evaluation.rewards[static_cast<std::size_t>(i)]}, {"ranks", example.ranks}}.dump()
              << '\n';
  }
  graft::print_reward_evaluation(std::cerr, evaluation, batches.dataset().sources());
}

}  // namespace

void add_score(CLI::App& app) {
  auto const flags = std::make_shared<ScoreFlags>();
  auto* command = app.add_subcommand("score", "the reward of each record, from a reward model: {\"line\": n, \"reward\": r, \"tokens\": n}");
  add_model_flags(*command, flags->model);
  add_adapter_flag(*command, flags->model);
  command->add_option("--data", flags->data, "JSONL file: prompt + completion, messages, or text; with --pairs as for graft reward")->required();
  command->add_option("--max-length", flags->max_length, "tokens of a record; more are an error, and pairs with more are left out")->capture_default_str();
  command->add_flag("--pairs", flags->pairs, "the records are pairs or rankings: all their rewards, and how often the better answer has more");
  command->callback([flags] {
    Session session = open_model_session(flags->model);
    graft::require(session.model->score_head().has_value(), "score", flags->model.adapter.empty() ? "there is no --adapter" : flags->model.adapter,
                   ": a reward model has a score head, as graft reward writes it");
    flags->pairs ? score_pairs(*flags, session) : score_texts(*flags, session);
  });
}

}  // namespace cli
