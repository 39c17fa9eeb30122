// SPDX-License-Identifier: Apache-2.0
// graft evaluate: answers held-out records untuned, prompted, few-shot and tuned, and compares them with statistics.
#include "answers.hpp"
#include "commands.hpp"

#include <graft/data/chat_data.hpp>
#include <graft/io/atomic_file.hpp>
#include <graft/train/answer_score.hpp>
#include <graft/train/comparison_report.hpp>

#include <chrono>
#include <iostream>
#include <memory>

namespace cli {

struct EvaluateFlags {
  ModelFlags model;
  std::string data, prompted, few_shot, report;
  graft::Index max_new_tokens = 128;
  graft::Index batch = 64;
  graft::Index samples = 1;
};

/// The expected answers of a file: completion, or the last assistant turn.
static std::vector<std::string> expected_answers(std::string const& path) {
  std::vector<std::string> answers;
  graft::LineReader reader(path, {});
  std::set<std::string> ignored;
  std::string line;
  while (reader.next(line)) {
    if (graft::is_blank(line)) continue;
    auto const record = graft::parse_record(line, {}, ignored);
    if (auto const* plain = std::get_if<graft::PromptCompletionRecord>(&record))
      answers.push_back(plain->completion);
    else if (auto const* chat = std::get_if<graft::ChatPromptCompletionRecord>(&record))
      answers.push_back(chat->completion.front().content);
    else
      graft::fail("evaluate", path, ":", reader.line_number(), ": a record must have prompt and completion");
  }
  return answers;
}

struct Measured {
  graft::ConditionResult result;
  std::vector<Answer> answers;
};

static Measured measure(Session& session, EvaluateFlags const& flags, std::string const& name, std::string const& path,
                        bool adapters) {
  auto const start = std::chrono::steady_clock::now();
  Measured measured;
  measured.result.name = name;
  auto const expected = expected_answers(path);
  graft::ChatDataOptions options;
  options.max_length = session.files.config.max_position_embeddings;
  options.chat_format = chosen_format(flags.model, session.tokenizer());
  auto const dataset = graft::load_chat_dataset(path, session.tokenizer(), options);
  std::vector<std::vector<std::int32_t>> references;
  for (auto const& example : dataset.examples()) {
    references.emplace_back(example.ids.begin() + example.supervised.front().begin, example.ids.end());
    measured.result.tokens.push_back(static_cast<graft::Index>(references.back().size()));
  }
  auto const prompts = read_prompts(path, session, flags.model);
  graft::require(expected.size() == references.size() && expected.size() == prompts.ids.size(), "evaluate", path,
                 ": every record needs a prompt, a completion and a place in the context");
  measured.answers = answer(session, prompts,
                            {.max_new_tokens = flags.max_new_tokens, .batch = flags.batch, .adapters = adapters, .answers = references});
  for (auto const& one : measured.answers) measured.result.nll.push_back(one.reference_nll);
  for (std::size_t i = 0; i < expected.size(); ++i)
    measured.result.scores.push_back(graft::score_answer(expected[i], measured.answers[i].text));
  std::cerr << name << ": " << expected.size() << " answers in "
            << std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() << " s\n";
  return measured;
}

static void evaluate(EvaluateFlags const& flags) {
  Session session = open_model_session(flags.model);
  std::vector<Measured> measured;
  measured.push_back(measure(session, flags, "untuned", flags.data, false));
  if (!flags.prompted.empty()) measured.push_back(measure(session, flags, "prompted", flags.prompted, false));
  if (!flags.few_shot.empty()) measured.push_back(measure(session, flags, "few-shot", flags.few_shot, false));
  if (!flags.model.adapter.empty()) measured.push_back(measure(session, flags, "tuned", flags.data, true));
  std::vector<graft::ConditionResult> conditions;
  for (auto const& one : measured) conditions.push_back(one.result);
  auto const report = graft::compare_conditions(conditions, conditions.back().name);
  std::cout << graft::to_text(report);
  auto const expected = expected_answers(flags.data);
  for (std::size_t i = 0; i < expected.size() && i < static_cast<std::size_t>(flags.samples); ++i) {
    std::cout << "\nrecord " << i + 1 << "\n  expected: " << expected[i] << '\n';
    for (auto const& one : measured) std::cout << "  " << one.result.name << ": " << one.answers[i].text << '\n';
  }
  if (!flags.report.empty()) graft::write_atomically(flags.report, graft::to_json(report) + "\n");
}

void add_evaluate(CLI::App& app) {
  auto const flags = std::make_shared<EvaluateFlags>();
  auto* command = app.add_subcommand("evaluate", "compare the tuned model with the untuned and the prompted one on held-out records");
  add_model_flags(*command, flags->model);
  add_adapter_flag(*command, flags->model);
  command->add_option("--data", flags->data, "JSONL file of prompt + completion")->required();
  command->add_option("--prompted", flags->prompted, "the same records with instructions in the prompt");
  command->add_option("--few-shot", flags->few_shot, "the same records with instructions and worked examples");
  command->add_option("--max-new-tokens", flags->max_new_tokens, "longest answer")->capture_default_str();
  command->add_option("--batch-size", flags->batch, "answers made together")->capture_default_str();
  command->add_option("--samples", flags->samples, "records whose answers are shown")->capture_default_str();
  command->add_option("--report", flags->report, "JSON file for the figures");
  command->callback([flags] { evaluate(*flags); });
}

}  // namespace cli
