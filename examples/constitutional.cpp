// SPDX-License-Identifier: Apache-2.0
// A constitution instead of people (Bai et al. 2022): the model answers, critiques and revises its answers, learns the revisions, and then by DPO
// which of two answers it prefers itself. The records lie in OUTPUT.   constitutional MODEL constitution.json prompts.jsonl OUTPUT
#include <graft/data/preference_data.hpp>
#include <graft/graft.hpp>
#include <graft/io/resumable_lines.hpp>
#include <graft/loss/preference/dpo.hpp>
#include <graft/train/model_feedback.hpp>
#include <graft/train/rollouts.hpp>
#include <graft/train/with_reference.hpp>

#include <cstdio>

using namespace graft;

int main(int argc, char** argv) {
  if (argc != 5) return std::puts("usage: constitutional MODEL CONSTITUTION.json PROMPTS.jsonl OUTPUT"), 2;
  std::filesystem::path const output = argv[4];
  std::filesystem::create_directories(output);
  auto const constitution = read_constitution(argv[2]);
  auto model = load<Llama>(argv[1], Lora{.rank = 16, .alpha = 32, .target_modules = all_linear});
  auto const& tokenizer = model.tokenizer();
  auto const format = ChatFormat::recognise(tokenizer.spec());

  std::vector<std::vector<Message>> prompts;
  std::vector<std::vector<std::int32_t>> ids;
  LineReader reader(argv[3], {});
  std::set<std::string> ignored;
  for (std::string line; reader.next(line);) {
    prompts.push_back(std::get<std::vector<Message>>(parse_prompt(line, {}, ignored)));
    ids.push_back(encode_chat(tokenizer, format, prompts.back(), {.add_generation_prompt = true}).ids);
  }
  auto const answers = [&](Index samples) {
    auto const rollout = draw_rollout(model, ids, {.samples = samples,
                                                   .generation = {.max_new_tokens = 96,
                                                                  .sampling = {.greedy = false, .seed = 7},
                                                                  .stop_ids = {*tokenizer.token_id(format.end_of_turn())}}});
    std::vector<std::string> texts;
    for (std::size_t s = 0; s < rollout.records.size(); ++s) texts.push_back(tokenizer.decode(rollout.completion(s), {.skip_special = true, .invalid_utf8 = InvalidUtf8::replace}));
    return texts;
  };
  ModelFeedback feedback{model, tokenizer, format, {.generation = {.max_new_tokens = 96, .adapters = false}}};  // the base judges

  std::string const revisions = output / "revisions.jsonl", preferences = output / "preferences.jsonl";
  auto const count = static_cast<Index>(prompts.size());
  write_lines_in_chunks(revisions, count, count, [&](Index, Index) {
    std::vector<std::string> lines;
    for (auto const& record : revise_responses(prompts, answers(1), constitution, feedback, 1, 7)) lines.push_back(json_line(record));
    return lines;
  });
  auto optimizer = bind(AdamW{}, model.trainable());
  auto revised = ChatData{revisions, tokenizer, {.batch_size = 8, .seed = 7}};
  for (auto const& batch : revised.epochs(2)) {
    std::printf("sft  loss %.4f\n", value_and_grad(model, CrossEntropy{}, batch).value);
    clip_grad_norm(model.trainable(), 1.0);
    optimizer.step(1e-4);
  }
  write_lines_in_chunks(preferences, count, count, [&](Index, Index) {
    auto const texts = answers(2);
    std::vector<std::pair<std::string, std::string>> pairs;
    for (std::size_t i = 0; i < texts.size(); i += 2) pairs.emplace_back(texts[i], texts[i + 1]);
    std::vector<std::string> lines;
    for (auto const& label : label_preferences(prompts, pairs, constitution, feedback, 7)) lines.push_back(json_line(label));
    return lines;
  });
  auto pairs = PreferenceData{preferences, tokenizer, {.batch_size = 4, .max_length = 1024, .seed = 7}};
  auto reference = ReferencePolicy{model, ReferenceKind::initial, false};  // the SFT model
  auto judged = WithReference{pairs, reference};
  auto dpo_optimizer = bind(AdamW{}, model.trainable());
  for (auto const& batch : judged.epochs(1)) {
    auto const report = value_and_grad(model, Dpo<>{.beta = 0.1}, batch);
    clip_grad_norm(model.trainable(), 1.0);
    dpo_optimizer.step(1e-5);
    std::printf("dpo  loss %.4f  accuracy %.2f\n", report.value, report.metrics["rewards/accuracies"]);
  }
  save_peft(model, output / "adapter", argv[1]);
}
