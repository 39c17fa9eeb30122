// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/loss/token_batch.hpp>
#include <graft/model/generate.hpp>
#include <graft/text/encode_chat.hpp>
#include <graft/text/tokenizer.hpp>
#include <graft/train/ai_feedback.hpp>
#include <graft/train/verifiable_rewards.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace graft {

/// A language model as author and judge: `Author` and `Judge` both. It is asked as a user asks it. A critique is its answer to the
/// principle's `critique` behind the conversation, a revision its answer to `revision` behind that. For a comparison it is shown the
/// conversation and both answers, and its log p("A") - log p("B") of the next token is read; under `chain_of_thought` it thinks
/// first. With `adapters` false the resident base judges while its adapter is trained.
/// Source: Bai et al. 2022, sections 3.1 and 4.1; Lee et al. 2023, section 2.1.
template <class Model>
class ModelFeedback {
 public:
  struct Options {
    GenerationOptions generation = {.max_new_tokens = 128, .adapters = false};  ///< of critiques, revisions and thoughts
    bool chain_of_thought = false;
    std::string answer_question = "Reply with the letter of the better answer only: A or B.";
    std::string thought_question = "Think it through in a few sentences, without naming a letter yet.";
    Index tokens_per_batch = 4096;  ///< of comparisons; changes rounding only
  };

  /// Errors: [feedback] the letters A and B are not one token each. Model and tokenizer are held by reference.
  ModelFeedback(Model& model, Tokenizer const& tokenizer, ChatFormat format, Options options)
      : model_(&model), tokenizer_(&tokenizer), format_(std::move(format)), options_(std::move(options)) {
    if (!format_.end_of_turn().empty())
      if (auto const end = tokenizer.token_id(format_.end_of_turn())) options_.generation.stop_ids.push_back(*end);
    if (auto const eos = tokenizer.eos()) options_.generation.stop_ids.push_back(*eos);
    for (std::size_t i = 0; i < 2; ++i) {
      auto const ids = tokenizer.encode(i == 0 ? "A" : "B");
      require(ids.size() == 1, "feedback", "a judge's letters A and B must be one token each: this tokenizer has ", ids.size());
      letters_[i] = ids.front();
    }
  }

  [[nodiscard]] std::vector<std::string> critique(std::span<Draft const> drafts) {
    std::vector<std::vector<Message>> chats;
    for (auto const& draft : drafts) chats.push_back(critique_chat(draft));
    return answers(chats);
  }
  [[nodiscard]] std::vector<std::string> revise(std::span<Draft const> drafts) {
    std::vector<std::vector<Message>> chats;
    for (auto const& draft : drafts) {
      chats.push_back(critique_chat(draft));
      chats.back().push_back({"assistant", draft.critique});
      chats.back().push_back({"user", draft.principle->revision});
    }
    return answers(chats);
  }
  [[nodiscard]] std::vector<Verdict> compare(std::span<Comparison const> comparisons) {
    std::vector<std::vector<Message>> chats;
    for (auto const& comparison : comparisons)
      chats.push_back({{"user", shown(comparison) + (options_.chain_of_thought ? options_.thought_question : options_.answer_question)}});
    std::vector<Verdict> verdicts(chats.size());
    if (options_.chain_of_thought) {
      auto thoughts = answers(chats);
      for (std::size_t i = 0; i < chats.size(); ++i) {
        verdicts[i].rationale = thoughts[i];
        chats[i].push_back({"assistant", std::move(thoughts[i])});
        chats[i].push_back({"user", options_.answer_question});
      }
    }
    std::vector<std::vector<std::int32_t>> prompts;
    for (auto const& chat : chats) prompts.push_back(encode(chat));
    auto const odds = letter_odds(prompts);
    for (std::size_t i = 0; i < odds.size(); ++i) verdicts[i].log_odds = odds[i];
    return verdicts;
  }

 private:
  [[nodiscard]] std::vector<std::int32_t> encode(std::vector<Message> const& chat) const {
    return encode_chat(*tokenizer_, format_, chat, {.add_generation_prompt = true, .parse_special_in_content = false}).ids;
  }
  [[nodiscard]] static std::vector<Message> critique_chat(Draft const& draft) {
    auto chat = *draft.prompt;
    chat.push_back({"assistant", draft.response});
    chat.push_back({"user", draft.principle->critique});
    return chat;
  }
  /// The comparison as text, up to the question.
  [[nodiscard]] static std::string shown(Comparison const& comparison) {
    std::string text = comparison.principle->preference + "\n\nConversation:\n";
    for (auto const& message : *comparison.prompt) text += message.role + ": " + message.content + "\n";
    return text + "\nAnswer A: " + comparison.first + "\n\nAnswer B: " + comparison.second + "\n\n";
  }
  [[nodiscard]] std::vector<std::string> answers(std::vector<std::vector<Message>> const& chats) {
    std::vector<std::vector<std::int32_t>> prompts;
    for (auto const& chat : chats) prompts.push_back(encode(chat));
    auto options = options_.generation;
    options.sampling.seed += ++calls_;
    std::vector<std::string> texts;
    for (auto& generation : generate(*model_, prompts, options)) {
      auto& ids = generation.ids;
      if (generation.stopped && !ids.empty()) ids.pop_back();
      texts.push_back(tokenizer_->decode(ids, {.skip_special = true, .invalid_utf8 = InvalidUtf8::replace}));
    }
    return texts;
  }
  /// log p(A) - log p(B) behind each prompt. Its last row stands twice in the batch, once for each letter.
  [[nodiscard]] std::vector<double> letter_odds(std::vector<std::vector<std::int32_t>> const& prompts) {
    std::vector<double> odds;
    for (std::size_t next = 0; next < prompts.size();) {
      TokenBatch batch;
      batch.cu_seqlens = {0};
      do {
        auto const& ids = prompts[next++];
        batch.ids.insert(batch.ids.end(), ids.begin(), ids.end());
        batch.cu_seqlens.push_back(static_cast<std::int32_t>(batch.ids.size()));
        batch.rows.insert(batch.rows.end(), 2, static_cast<std::int32_t>(batch.ids.size()) - 1);
        batch.targets.insert(batch.targets.end(), letters_, letters_ + 2);
      } while (next < prompts.size() && batch.tokens() + static_cast<Index>(prompts[next].size()) <= options_.tokens_per_batch);
      auto const stats = model_->forward(batch, {.adapters = options_.generation.adapters});
      for (std::size_t i = 0; i < stats.size(); i += 2) odds.push_back(stats[i].target_logprob - stats[i + 1].target_logprob);
    }
    return odds;
  }

  Model* model_;
  Tokenizer const* tokenizer_;
  ChatFormat format_;
  Options options_;
  std::int32_t letters_[2] = {};
  std::uint64_t calls_ = 0;  // each has a seed of its own
};

/// A judge that is a program: P(first is better) = sigmoid(scale·(reward of the first - reward of the second)), whatever the
/// principle. It is right by design where the reward is what is wanted, and so shows what the loop does with a judge that is.
struct RewardJudge {
  Reward reward;
  double scale = 1;
  Tokenizer const* tokenizer = nullptr;  ///< for rewards that count tokens

  [[nodiscard]] double score(std::vector<Message> const& prompt, std::string const& completion) const {
    auto const ids = tokenizer != nullptr ? tokenizer->encode(completion) : std::vector<std::int32_t>{};
    std::string_view const question = prompt.empty() ? std::string_view{} : std::string_view(prompt.back().content);
    return reward({.prompt = question, .completion = completion, .expected = "", .record = "", .ids = ids});
  }
  [[nodiscard]] std::vector<Verdict> compare(std::span<Comparison const> comparisons) const {
    std::vector<Verdict> verdicts;
    for (auto const& c : comparisons) verdicts.push_back({scale * (score(*c.prompt, c.first) - score(*c.prompt, c.second)), {}});
    return verdicts;
  }
};

}  // namespace graft
