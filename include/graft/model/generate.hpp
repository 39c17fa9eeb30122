// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/parallel.hpp>
#include <graft/model/generation_options.hpp>
#include <graft/model/kv_cache.hpp>
#include <graft/model/transformer.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <numeric>
#include <span>
#include <vector>

namespace graft {

/// Continues every prompt. Sequences share the passes: a slot that ends takes the next prompt. A beginning that all
/// prompts share is computed once, and so is the prompt of a continuation and of an answer to be scored, and that of several
/// samples of one prompt which follow one another. What a sequence becomes does not depend on the others but for rounding in
/// the last bit.
template <class Model>
class Generator {
 public:
  using T = typename Model::ScalarType;
  using B = typename Model::BackendType;

  Generator(Model& model, GenerationOptions options)
      : model_(&model), options_(std::move(options)), samplers_{Sampler(options_.sampling)} {
    require(options_.max_new_tokens >= 1, "generate", "max_new_tokens must be at least 1: got ", options_.max_new_tokens);
    require(options_.batch >= 1 && options_.prefill_tokens >= 1, "generate", "batch and prefill_tokens must be at least 1");
  }

  std::vector<Generation> operator()(std::span<std::vector<std::int32_t> const> prompts) {
    require(options_.answers.empty() || options_.answers.size() == prompts.size(), "generate", options_.answers.size(),
            " answers to score for ", prompts.size(), " prompts");
    results_.assign(prompts.size(), {});
    if (prompts.empty()) return {};
    prompts_ = prompts;
    plan_slots();
    prefill_shared();
    std::vector<Sequence> active;
    std::vector<Index> free;
    for (Index slot = slots_; slot-- > 0;) free.push_back(slot);
    std::size_t next = 0;
    while (next < prompts.size() || !active.empty()) {
      while (next < prompts.size() && !free.empty()) {
        std::vector<Sequence> fresh;
        Index tokens = 0;
        while (next < prompts.size() && !free.empty()) {
          auto const same = [&](Sequence const& other) { return prompts[other.prompt] == prompts[next]; };
          auto const all = static_cast<Index>(prompts[next].size());
          if (shared_ < all - 1 && std::any_of(fresh.begin(), fresh.end(), same)) break;  // cached after this pass
          auto const twin = std::find_if(active.begin(), active.end(), same);
          Index const known = twin == active.end() ? shared_ : all - 1;
          auto const length = all - known;
          if (!fresh.empty() && tokens + length > options_.prefill_tokens) break;
          tokens += length;
          fresh.push_back({next++, free.back(), known});
          free.pop_back();
          if (known > 0) cache_->copy_prefix(twin == active.end() ? slots_ : twin->slot, fresh.back().slot, known);
        }
        for (auto const& sequence : fresh) active.push_back(sequence);
        auto const started = std::span<Sequence>(active).last(fresh.size());
        run(started);
        if (!options_.answers.empty()) score(started);
      }
      retire(active, free);
      if (!active.empty()) run(active);
      retire(active, free);
    }
    return std::move(results_);
  }

 private:
  struct Sequence {
    std::size_t prompt;  ///< index of its prompt and result
    Index slot;
    Index length;        ///< tokens in the cache
  };

  void plan_slots() {
    auto const& config = model_->config();
    std::size_t longest = 0, shortest = prompts_.front().size();
    for (std::size_t i = 0; i < prompts_.size(); ++i) {
      require(!prompts_[i].empty(), "generate", "prompt ", i, " is empty: give it at least one token");
      longest = std::max(longest, prompts_[i].size());
      shortest = std::min(shortest, prompts_[i].size());
    }
    Index fresh = options_.max_new_tokens;
    for (auto const& answer : options_.answers) fresh = std::max(fresh, static_cast<Index>(answer.size()));
    Index const capacity = static_cast<Index>(longest) + fresh;
    require(config.max_position_embeddings == 0 || capacity <= config.max_position_embeddings, "generate",
            "a prompt of ", longest, " tokens and ", fresh, " new ones pass the context of ",
            config.max_position_embeddings, " tokens");
    shared_ = prompts_.size() > 1 ? static_cast<Index>(shortest) - 1 : 0;
    for (auto const& prompt : prompts_) {
      auto const differs = std::mismatch(prompt.begin(), prompt.begin() + shared_, prompts_.front().begin()).first;
      shared_ = differs - prompt.begin();
    }
    if (shared_ < 8) shared_ = 0;
    auto const per_slot = KvCache<T, B>::bytes_per_token(config) * static_cast<std::size_t>(capacity);
    auto const fitting = static_cast<Index>(std::max<std::size_t>(options_.cache_bytes / per_slot, 1));
    slots_ = std::min({options_.batch, fitting, static_cast<Index>(prompts_.size())});
    cache_ = std::make_unique<KvCache<T, B>>(model_->backend(), config, slots_ + (shared_ > 0 ? 1 : 0), capacity);
  }

  /// The shared beginning goes to the slot behind the others.
  void prefill_shared() {
    for (Index begin = 0; begin < shared_; begin += options_.prefill_tokens) {
      Index const rows = std::min(options_.prefill_tokens, shared_ - begin);
      clear_pass();
      add_tokens(std::span(prompts_.front()).subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(rows)),
                 slots_, begin);
      logits_.clear();
      rows_.clear();
      forward();
    }
  }

  void clear_pass() {
    ids_.clear();
    positions_.clear();
    entries_.clear();
    rows_.clear();
  }
  void add_tokens(std::span<std::int32_t const> tokens, Index slot, Index position) {
    auto const begin = static_cast<Index>(ids_.size()), rows = static_cast<Index>(tokens.size());
    ids_.insert(ids_.end(), tokens.begin(), tokens.end());
    for (Index i = 0; i < rows; ++i) positions_.push_back(static_cast<std::int32_t>(position + i));
    entries_.push_back({slot, begin, rows, position + rows});
    rows_.push_back(static_cast<std::int32_t>(ids_.size()) - 1);
  }
  void forward() {
    logits_.resize(rows_.size() * static_cast<std::size_t>(model_->config().vocab_size));
    model_->forward_cached(ids_, positions_, cache_->layers(), entries_, rows_, options_.adapters, std::span<T>(logits_));
  }

  /// One pass over what is new in each sequence, its prompt or its last token, and one new token for each. A prompt longer
  /// than prefill_tokens goes through in pieces.
  void run(std::span<Sequence> sequences) {
    for (auto& sequence : sequences) {
      auto const& prompt = prompts_[sequence.prompt];
      while (static_cast<Index>(prompt.size()) - sequence.length > options_.prefill_tokens) {
        clear_pass();
        add_tokens(std::span(prompt).subspan(static_cast<std::size_t>(sequence.length),
                                             static_cast<std::size_t>(options_.prefill_tokens)),
                   sequence.slot, sequence.length);
        sequence.length += options_.prefill_tokens;
        rows_.clear();
        forward();
      }
    }
    clear_pass();
    for (auto& sequence : sequences) {
      auto const& prompt = prompts_[sequence.prompt];
      auto const& fresh = results_[sequence.prompt].ids;
      auto const tokens = fresh.empty() ? std::span(prompt).subspan(static_cast<std::size_t>(sequence.length))
                                        : std::span(fresh).last(1);
      add_tokens(tokens, sequence.slot, sequence.length);
      sequence.length += static_cast<Index>(tokens.size());
    }
    forward();
    drawn_.resize(sequences.size());
    auto const share = (static_cast<Index>(sequences.size()) + num_threads() - 1) / num_threads();
    while (static_cast<Index>(samplers_.size()) * share < static_cast<Index>(sequences.size())) samplers_.emplace_back(options_.sampling);
    parallel_blocks(static_cast<Index>(sequences.size()), share, [&](Index begin, Index end) {
      for (Index s = begin; s < end; ++s) {
        auto const row = static_cast<std::size_t>(s);
        drawn_[row] = choose(samplers_[static_cast<std::size_t>(begin / share)], sequences[row].prompt, logits(row));
      }
    });
    for (std::size_t s = 0; s < sequences.size(); ++s) {
      auto& result = results_[sequences[s].prompt];
      if (result.ids.empty() && !options_.answers.empty() && !options_.answers[sequences[s].prompt].empty())
        result.answer_nll = negative_logprob(logits(s), options_.answers[sequences[s].prompt].front());
      append(sequences[s].prompt, drawn_[s]);
    }
  }

  [[nodiscard]] std::span<T const> logits(std::size_t row) const {
    auto const vocabulary = static_cast<std::size_t>(model_->config().vocab_size);
    return std::span<T const>(logits_).subspan(row * vocabulary, vocabulary);
  }

  /// The next token of a sequence.
  [[nodiscard]] std::int32_t choose(Sampler& sampler, std::size_t prompt, std::span<T const> logits) const {
    auto const& ids = results_[prompt].ids;
    std::vector<std::int32_t> seen;
    if (options_.sampling.repetition_penalty != 1) {
      seen = prompts_[prompt];
      seen.insert(seen.end(), ids.begin(), ids.end());
    }
    return sampler.draw(logits, seen, prompt, ids.size());
  }
  void append(std::size_t prompt, std::int32_t id) {
    auto& result = results_[prompt];
    result.ids.push_back(id);
    result.stopped = std::find(options_.stop_ids.begin(), options_.stop_ids.end(), id) != options_.stop_ids.end();
    if (options_.on_token && options_.on_token(prompt, result.ids)) result.stopped = true;
  }
  [[nodiscard]] bool ended(std::size_t prompt) const {
    return results_[prompt].stopped || static_cast<Index>(results_[prompt].ids.size()) >= options_.max_new_tokens;
  }

  /// Adds the rest of the answers' -log p: their tokens but the last go through the model behind the prompts, in pieces
  /// whose logits are about a prefill's worth of memory. As long as a continuation is the answer so far, these passes are
  /// its own and its next tokens are drawn from them; afterwards it overwrites what they left in the cache.
  void score(std::span<Sequence> sequences) {
    auto const vocabulary = static_cast<std::size_t>(model_->config().vocab_size);
    auto const most = std::min<std::size_t>(static_cast<std::size_t>(options_.prefill_tokens),
                                            std::max<std::size_t>(1, (std::size_t{1} << 25) / vocabulary));
    struct Prediction {
      Sequence* sequence;
      std::size_t at;  ///< of the token in the answer that the row has read
    };
    std::vector<Prediction> predictions;
    auto const flush = [&] {
      if (predictions.empty()) return;
      rows_.resize(ids_.size());
      std::iota(rows_.begin(), rows_.end(), 0);
      forward();
      std::vector<double> each(predictions.size());
      parallel_for(static_cast<Index>(each.size()), [&](Index i) {
        auto const row = static_cast<std::size_t>(i);
        auto const& [sequence, at] = predictions[row];
        each[row] = negative_logprob(logits(row), options_.answers[sequence->prompt][at + 1]);
      });
      for (std::size_t row = 0; row < each.size(); ++row) {
        auto const& [sequence, at] = predictions[row];
        auto& result = results_[sequence->prompt];
        result.answer_nll += each[row];
        if (ended(sequence->prompt) || result.ids.size() != at + 1 ||
            result.ids.back() != options_.answers[sequence->prompt][at])
          continue;
        ++sequence->length;
        append(sequence->prompt, choose(samplers_.front(), sequence->prompt, logits(row)));
      }
      predictions.clear();
      clear_pass();
    };
    clear_pass();
    for (auto& sequence : sequences) {
      std::span<std::int32_t const> const answer = options_.answers[sequence.prompt];
      auto const behind = static_cast<Index>(prompts_[sequence.prompt].size());
      for (std::size_t at = 0; at + 1 < answer.size();) {
        auto const count = std::min(answer.size() - 1 - at, most - predictions.size());
        add_tokens(answer.subspan(at, count), sequence.slot, behind + static_cast<Index>(at));
        for (std::size_t i = 0; i < count; ++i) predictions.push_back({&sequence, at + i});
        at += count;
        if (predictions.size() == most) flush();
      }
    }
    flush();
  }

  /// -log softmax(logits)[token]
  [[nodiscard]] static double negative_logprob(std::span<T const> logits, std::int32_t token) {
    auto const largest = static_cast<double>(*std::max_element(logits.begin(), logits.end()));
    double sum = 0;
    for (T const logit : logits) sum += std::exp(static_cast<double>(logit) - largest);
    return largest + std::log(sum) - static_cast<double>(logits[static_cast<std::size_t>(token)]);
  }

  void retire(std::vector<Sequence>& active, std::vector<Index>& free) {
    std::erase_if(active, [&](Sequence const& sequence) {
      bool const done = ended(sequence.prompt);
      if (done) free.push_back(sequence.slot);
      return done;
    });
  }

  Model* model_;
  GenerationOptions options_;
  std::vector<Sampler> samplers_;  ///< one for each thread that draws
  std::span<std::vector<std::int32_t> const> prompts_;
  std::vector<Generation> results_;
  std::unique_ptr<KvCache<T, B>> cache_;
  Index slots_ = 0;
  Index shared_ = 0;
  std::vector<std::int32_t> ids_, positions_, rows_, drawn_;
  std::vector<CacheEntry> entries_;
  std::vector<T> logits_;
};

/// Continues the prompts, see `Generator`.
template <class Model>
[[nodiscard]] std::vector<Generation> generate(Model& model, std::span<std::vector<std::int32_t> const> prompts,
                                               GenerationOptions options = {}) {
  return Generator<Model>(model, std::move(options))(prompts);
}

}  // namespace graft
