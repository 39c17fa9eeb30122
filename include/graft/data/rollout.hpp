// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/error.hpp>
#include <graft/data/packing.hpp>
#include <graft/loss/policy/policy_batch.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace graft {

/// What a policy drew and what is known of it: S prompts with their completions, packed one behind the other (T tokens), and
/// numbers for each of the N completion tokens. The completions of one prompt stand together, `samples` of them.
/// All members are flat arrays, so that xt::adapt(rollout.rewards, {prompts, samples}) and the like see them without a copy.
/// A member that nothing has filled yet is empty.
struct Rollout {
  Index samples = 1;
  double temperature = 1;  ///< at which it was drawn, and to which the log-probabilities belong

  std::vector<std::int32_t> ids;             ///< (T)
  std::vector<std::int32_t> cu_seqlens{0};   ///< (S + 1)
  std::vector<std::int32_t> completions{0};  ///< (S + 1) where each completion begins among the N; it ends its sequence
  std::vector<Index> records;                ///< (S) which record the prompt is
  std::vector<std::uint8_t> finished;        ///< (S) 1: ended by a stop token; 0: cut at the longest length
  std::vector<double> rewards;               ///< (S) as given, without KL; NaN: nothing could score it

  std::vector<double> logprobs;      ///< (N) of the policy
  std::vector<double> ref_logprobs;  ///< (N) of the reference
  std::vector<double> entropies;     ///< (N) of the policy
  std::vector<double> values;        ///< (N) of the critic, before the token is drawn
  std::vector<double> advantages;    ///< (N)
  std::vector<double> returns;       ///< (N)
  std::vector<float> mask;           ///< (N) 0: the token is not learnt from; empty: all are

  friend bool operator==(Rollout const&, Rollout const&) = default;

  [[nodiscard]] Index sequences() const { return static_cast<Index>(cu_seqlens.size()) - 1; }
  [[nodiscard]] Index tokens() const { return static_cast<Index>(ids.size()); }
  [[nodiscard]] Index completion_tokens() const { return completions.back(); }
  [[nodiscard]] Index completion_length(std::size_t s) const { return completions[s + 1] - completions[s]; }
  [[nodiscard]] std::span<std::int32_t const> prompt(std::size_t s) const {
    return std::span(ids).subspan(static_cast<std::size_t>(cu_seqlens[s]),
                                  static_cast<std::size_t>(cu_seqlens[s + 1] - cu_seqlens[s] - completion_length(s)));
  }
  [[nodiscard]] std::span<std::int32_t const> completion(std::size_t s) const {
    return std::span(ids).subspan(static_cast<std::size_t>(cu_seqlens[s + 1] - completion_length(s)),
                                  static_cast<std::size_t>(completion_length(s)));
  }

  /// The rewards, those of completions that did not finish less a penalty. (S)
  [[nodiscard]] std::vector<double> scores(double missing_eos_penalty) const {
    auto result = rewards;
    for (std::size_t s = 0; s < result.size(); ++s)
      if (finished[s] == 0) result[s] -= missing_eos_penalty;
    return result;
  }

  /// Adds one sequence. Errors: [rollout] an empty prompt or completion.
  void add(std::span<std::int32_t const> prompt_ids, std::span<std::int32_t const> completion_ids, bool is_finished, Index record) {
    require(!prompt_ids.empty() && !completion_ids.empty(), "rollout", "a prompt and its completion must have tokens: got ",
            prompt_ids.size(), " and ", completion_ids.size(), " for record ", record);
    ids.insert(ids.end(), prompt_ids.begin(), prompt_ids.end());
    ids.insert(ids.end(), completion_ids.begin(), completion_ids.end());
    cu_seqlens.push_back(static_cast<std::int32_t>(ids.size()));
    completions.push_back(completions.back() + static_cast<std::int32_t>(completion_ids.size()));
    finished.push_back(is_finished ? 1 : 0);
    records.push_back(record);
  }

  /// Checks that all that is there fits together. Errors: tag "rollout", which member and how.
  void validate() const {
    require(cu_seqlens.size() == completions.size() && !cu_seqlens.empty() && cu_seqlens.front() == 0 && completions.front() == 0 &&
                cu_seqlens.back() == tokens(),
            "rollout", "cu_seqlens and completions must begin with 0 and end with all of ", ids.size(), " tokens");
    for (std::size_t s = 0; s + 1 < cu_seqlens.size(); ++s)
      require(completion_length(s) > 0 && cu_seqlens[s + 1] - cu_seqlens[s] > completion_length(s), "rollout", "sequence ", s,
              " must have a prompt and a completion: got ", cu_seqlens[s + 1] - cu_seqlens[s], " tokens, ", completion_length(s),
              " of them in the completion");
    require(samples >= 1 && sequences() % samples == 0, "rollout", "sequences must come in groups of samples: got ", sequences(), " and ",
            samples);
    require(temperature > 0, "rollout", "the temperature must be above 0: got ", temperature);
    auto const fits = [](auto const& member, Index count, char const* name) {
      require(member.empty() || static_cast<Index>(member.size()) == count, "rollout", name, " must be empty or have ", count,
              " entries: got ", member.size());
    };
    visit(*this, [&](char const* name, auto const& member, bool of_tokens) {
      fits(member, of_tokens ? completion_tokens() : sequences(), name);
    });
  }

  /// Calls f(name, member, of tokens (else of sequences)) for everything beside the tokens themselves.
  template <class Self, class F>
  static void visit(Self& self, F&& f) {
    f("records", self.records, false);
    f("finished", self.finished, false);
    f("rewards", self.rewards, false);
    f("logprobs", self.logprobs, true);
    f("ref_logprobs", self.ref_logprobs, true);
    f("entropies", self.entropies, true);
    f("values", self.values, true);
    f("advantages", self.advantages, true);
    f("returns", self.returns, true);
    f("mask", self.mask, true);
  }
};

/// Tokens of sequence s that a batch need not hold again behind sequence `before`: of one prompt all but the last, from which the
/// first token of the completion is predicted.
[[nodiscard]] inline Index shared_prompt(Rollout const& rollout, std::size_t before, std::size_t s) {
  auto const prompt = rollout.prompt(s);
  return std::ranges::equal(rollout.prompt(before), prompt) ? std::ssize(prompt) - 1 : 0;
}

/// The sequences `chosen` of a rollout as a batch, with all that the rollout knows of their tokens. Samples of one prompt that stand
/// together have it once.
[[nodiscard]] inline PolicyBatch policy_batch(Rollout const& rollout, std::span<std::size_t const> chosen) {
  PolicyBatch batch;
  batch.cu_seqlens = batch.completions = {0};
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    std::size_t const s = chosen[i];
    auto const prompt = rollout.prompt(s), completion = rollout.completion(s);
    Index const shared = i > 0 ? shared_prompt(rollout, chosen[i - 1], s) : 0;
    batch.ids.insert(batch.ids.end(), prompt.begin() + shared, prompt.end());
    for (auto const id : completion) {
      batch.rows.push_back(static_cast<std::int32_t>(batch.ids.size()) - 1);
      batch.targets.push_back(id);
      batch.ids.push_back(id);
    }
    batch.cu_seqlens.push_back(static_cast<std::int32_t>(batch.ids.size()));
    note_prefix(batch, shared);
    batch.completions.push_back(static_cast<std::int32_t>(batch.rows.size()));
    if (!rollout.records.empty()) batch.records.push_back(rollout.records[s]);
    auto const take = [&](auto const& all, auto& part) {
      if (!all.empty()) part.insert(part.end(), all.begin() + rollout.completions[s], all.begin() + rollout.completions[s + 1]);
    };
    take(rollout.mask, batch.weights);
    take(rollout.logprobs, batch.old_logprobs);
    take(rollout.ref_logprobs, batch.ref_logprobs);
    take(rollout.advantages, batch.advantages);
    take(rollout.values, batch.old_values);
    take(rollout.returns, batch.returns);
  }
  return batch;
}

/// Cuts the sequences `chosen` into parts of at most `tokens` tokens, as `policy_batch` packs them (a longer sequence is a part of its
/// own), in their order.
[[nodiscard]] inline std::vector<std::span<std::size_t const>> cut_by_tokens(Rollout const& rollout, std::span<std::size_t const> chosen,
                                                                             Index tokens) {
  std::vector<std::span<std::size_t const>> parts;
  std::size_t begin = 0;
  Index sum = 0;
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    Index const length = rollout.cu_seqlens[chosen[i] + 1] - rollout.cu_seqlens[chosen[i]];
    Index const shared = i > begin ? shared_prompt(rollout, chosen[i - 1], chosen[i]) : 0;
    if (i > begin && sum + length - shared > tokens) {
      parts.push_back(chosen.subspan(begin, i - begin));
      begin = i;
      sum = length;
    } else {
      sum += length - shared;
    }
  }
  if (begin < chosen.size()) parts.push_back(chosen.subspan(begin));
  return parts;
}

}  // namespace graft
