// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/text/chat_format.hpp>
#include <graft/train/constitution.hpp>

#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace graft {

/// An answer that is to be better by a principle.
struct Draft {
  std::vector<Message> const* prompt;
  std::string response;
  Principle const* principle;
  std::string critique = {};  ///< of the response; there when a revision is asked for
};

/// Two answers to one prompt, to be held against each other by a principle.
struct Comparison {
  std::vector<Message> const* prompt;
  std::string first, second;
  Principle const* principle;
};

/// What a judge says of a comparison: log P(first is better) - log P(second is better), and why, if it says so.
struct Verdict {
  double log_odds = 0;
  std::string rationale = {};
};

/// Writes a critique, and a revision, of each draft.
template <class A>
concept Author = requires(A& author, std::span<Draft const> drafts) {
  { author.critique(drafts) } -> std::same_as<std::vector<std::string>>;
  { author.revise(drafts) } -> std::same_as<std::vector<std::string>>;
};

/// Says of each comparison which answer is better.
template <class J>
concept Judge = requires(J& judge, std::span<Comparison const> comparisons) {
  { judge.compare(comparisons) } -> std::same_as<std::vector<Verdict>>;
};

/// One round of critique and revision.
struct RevisionRound {
  std::string principle, critique, revision;
  bool accepted = true;  ///< false: the judge liked the answer before it better, and the next round went on from that
  friend bool operator==(RevisionRound const&, RevisionRound const&) = default;
};

/// What became of an answer. As a JSON line it is {"prompt": [messages], "completion": [the last accepted answer], "response": …,
/// "rounds": […]}, which supervised fine-tuning reads as it is.
struct RevisionRecord {
  std::vector<Message> prompt;
  std::string response;
  std::vector<RevisionRound> rounds;
  friend bool operator==(RevisionRecord const&, RevisionRecord const&) = default;

  [[nodiscard]] std::string const& completion() const {
    for (auto round = rounds.rbegin(); round != rounds.rend(); ++round)
      if (round->accepted) return round->revision;
    return response;
  }
};

/// A judgement of two answers in both orders. As a JSON line {"prompt": …, "chosen": [message], "rejected": [message], "source":
/// the principle, "probability": of the chosen one, "log_odds": [of the first as first, of the first as second], "rationales": …},
/// which reward models and DPO learn from.
struct PreferenceLabel {
  std::vector<Message> prompt;
  std::string first, second, principle;
  Verdict forward, swapped;  ///< of (first, second) and of (second, first)
  /// P(first is better), mean of both orders, so that a judge that likes a place and not an answer says ½.
  /// Source: Lee et al., "RLAIF", 2023, section 2.1.1.
  [[nodiscard]] double probability() const {
    auto const p = [](double log_odds) { return 1 / (1 + std::exp(-log_odds)); };
    return 0.5 * (p(forward.log_odds) + 1 - p(swapped.log_odds));
  }
  /// Whether the judge chose the same place in both orders, rather than the same answer.
  [[nodiscard]] bool follows_position() const { return (forward.log_odds > 0) == (swapped.log_odds > 0); }
};

/// Judges each comparison in both orders.
template <Judge J>
[[nodiscard]] std::vector<PreferenceLabel> compare_in_both_orders(std::span<Comparison const> comparisons, J& judge) {
  std::vector<Comparison> both(comparisons.begin(), comparisons.end());
  for (auto const& c : comparisons) both.push_back({c.prompt, c.second, c.first, c.principle});
  auto verdicts = judge.compare(both);
  require(verdicts.size() == both.size(), "feedback", "a judge says something of each of ", both.size(), " comparisons: got ", verdicts.size());
  std::vector<PreferenceLabel> labels;
  for (std::size_t i = 0; i < comparisons.size(); ++i) {
    auto const& c = comparisons[i];
    labels.push_back({*c.prompt, c.first, c.second, c.principle->name, std::move(verdicts[i]), std::move(verdicts[comparisons.size() + i])});
  }
  return labels;
}

/// No judge has a say in which revisions are kept: all are, as in the paper.
struct AcceptAll {};

/// Rounds of critique and revision: each takes the answer of the one before, by a principle drawn anew. With a judge, a revision
/// is kept only where the judge likes it better. `first_record` numbers the first prompt, so that a file can be made in parts.
template <Author A, class J = AcceptAll>
[[nodiscard]] std::vector<RevisionRecord> revise_responses(std::span<std::vector<Message> const> prompts, std::span<std::string const> responses,
                                                           Constitution const& constitution, A& author, Index rounds, std::uint64_t seed,
                                                           Index first_record = 0, J&& judge = {}) {
  require(prompts.size() == responses.size() && rounds >= 0, "feedback", "needs a response to each of ", prompts.size(), " prompts: got ",
          responses.size());
  std::vector<RevisionRecord> records;
  std::vector<Draft> drafts;
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    records.push_back({prompts[i], responses[i], {}});
    drafts.push_back({&prompts[i], responses[i], nullptr});
  }
  for (Index round = 0; round < rounds; ++round) {
    for (std::size_t i = 0; i < drafts.size(); ++i) drafts[i].principle = &constitution.draw(seed, first_record + static_cast<Index>(i), round);
    auto critiques = author.critique(drafts);
    require(critiques.size() == drafts.size(), "feedback", "an author says something of each of ", drafts.size(), " drafts: got ", critiques.size());
    for (std::size_t i = 0; i < drafts.size(); ++i) drafts[i].critique = std::move(critiques[i]);
    auto revisions = author.revise(drafts);
    require(revisions.size() == drafts.size(), "feedback", "an author revises each of ", drafts.size(), " drafts: got ", revisions.size());
    std::vector<bool> better(drafts.size(), true);
    if constexpr (!std::is_same_v<std::remove_cvref_t<J>, AcceptAll>) {
      std::vector<Comparison> comparisons;
      for (std::size_t i = 0; i < drafts.size(); ++i) comparisons.push_back({drafts[i].prompt, revisions[i], drafts[i].response, drafts[i].principle});
      auto const labels = compare_in_both_orders(comparisons, judge);
      for (std::size_t i = 0; i < drafts.size(); ++i) better[i] = labels[i].probability() > 0.5;
    }
    for (std::size_t i = 0; i < drafts.size(); ++i) {
      records[i].rounds.push_back({drafts[i].principle->name, std::move(drafts[i].critique), revisions[i], better[i]});
      if (better[i]) drafts[i].response = std::move(revisions[i]);
      drafts[i].critique.clear();
    }
  }
  return records;
}

/// Labels pairs of answers, each by a principle drawn for its record, in both orders. Identical answers are judged too.
template <Judge J>
[[nodiscard]] std::vector<PreferenceLabel> label_preferences(std::span<std::vector<Message> const> prompts,
                                                             std::span<std::pair<std::string, std::string> const> answers,
                                                             Constitution const& constitution, J& judge, std::uint64_t seed, Index first_record = 0) {
  require(prompts.size() == answers.size(), "feedback", "needs two answers to each of ", prompts.size(), " prompts: got ", answers.size());
  std::vector<Comparison> comparisons;
  for (std::size_t i = 0; i < prompts.size(); ++i)
    comparisons.push_back({&prompts[i], answers[i].first, answers[i].second, &constitution.draw(seed, first_record + static_cast<Index>(i), 0)});
  return compare_in_both_orders(comparisons, judge);
}

/// A record as one JSON line, without its end; text that is not UTF-8 has replacement characters.
[[nodiscard]] std::string json_line(RevisionRecord const& record);
[[nodiscard]] std::string json_line(PreferenceLabel const& label);

}  // namespace graft

#ifndef GRAFT_COMPILED
#include <graft/train/ai_feedback.tpp>
#endif
