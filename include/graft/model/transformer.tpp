// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/model/transformer.hpp>

#include <algorithm>
#include <cmath>

namespace graft {

template <class Arch, Scalar T, class B, class A>
void Transformer<Arch, T, B, A>::take_positions(Workspace<B>& workspace, std::span<std::int32_t const> positions,
                                                std::span<std::int32_t const> bounds) {
  tape_.positions = take_integers(workspace, positions);
  if constexpr (Arch::learned_positions) {
    Index const limit = config_.max_position_embeddings;
    auto const last = positions.empty() ? 0 : *std::max_element(positions.begin(), positions.end());
    // The twin plans for the tokens of a batch as one sequence; it reads no table.
    require((std::is_same_v<B, Dry>) || last < limit, "model", "a sequence of ", last + 1, " tokens is longer than the ", limit,
            " learned positions of this model");
    return;
  }
  auto const fill = [&](RopeFrequencies const& rope, In<T>& cos, In<T>& sin) {
    auto const tokens = static_cast<Index>(positions.size());
    auto const c = workspace.template take<T>(tokens, static_cast<Index>(rope.inverse.size()));
    auto const s = workspace.template take<T>(tokens, static_cast<Index>(rope.inverse.size()));
    if (config_.rope_scaling.kind == RopeScaling::Kind::dynamic && &rope == &global_rope_)
      fill_by_length(positions, bounds, c, s);
    else
      backend_->rope_tables(tape_.positions, std::span<double const>(rope.inverse), static_cast<T>(rope.factor), c, s);
    cos = c;
    sin = s;
  };
  fill(global_rope_, tape_.cos, tape_.sin);
  if (!config_.layer_is_sliding.empty()) fill(local_rope_, tape_.local_cos, tape_.local_sin);
}

template <class Arch, Scalar T, class B, class A>
void Transformer<Arch, T, B, A>::fill_by_length(std::span<std::int32_t const> positions, std::span<std::int32_t const> bounds,
                                                Out<T> cos, Out<T> sin) const {
  auto const limit = static_cast<double>(config_.max_position_embeddings);
  for (std::size_t s = 0; s + 1 < bounds.size(); ++s) {
    auto const begin = bounds[s], end = bounds[s + 1];
    if (begin == end) continue;
    double const length = positions[static_cast<std::size_t>(end) - 1] + 1;
    RopeFrequencies const longer = length > limit ? rope_frequencies(config_.head_dim, config_.rope_theta, config_.rope_scaling, length / limit)
                                                  : RopeFrequencies{};
    RopeFrequencies const& rope = length > limit ? longer : global_rope_;
    backend_->rope_tables(tape_.positions + begin, std::span<double const>(rope.inverse), static_cast<T>(rope.factor),
                          cos.rows_between(begin, end), sin.rows_between(begin, end));
  }
}

template <class Arch, Scalar T, class B, class A>
void Transformer<Arch, T, B, A>::embed(Workspace<B>& workspace, std::int32_t const* ids, Out<T> x) const {
  embedding_->forward(*backend_, ids, x);
  if (!position_embedding_) return;
  auto scope = workspace.arena.scope();
  auto const place = workspace.template take<T>(x.rows, x.cols);
  position_embedding_->forward(*backend_, tape_.positions, place);
  add(*backend_, In<T>(place), x);
}

template <class Arch, Scalar T, class B, class A>
std::span<TokenStats const> Transformer<Arch, T, B, A>::forward(TokenBatch const& batch, PassOptions options) {
  bool const language = has(options.heads, Heads::language), score = has(options.heads, Heads::score);
  require(!score || score_head_, "model", "this pass asks for scores: give the model a head by add_score_head first");
  require(options.temperature > 0 && std::isfinite(options.temperature), "model", "the temperature of a pass must be above 0: got ",
          options.temperature);
  ensure({batch.tokens(), batch.supervised(), batch.sequences()}, options);
  arena_->release(0);
  arena_->page_out({0, arena_->capacity()});  // scratch of the pass before would stay beside this one's
  if (options.training) ++pass_;
  options_ = options;
  auto ws = workspace(options);

  host_positions_.resize(batch.ids.size());
  tape_.sequences = {batch.cu_seqlens, batch.prefix_tokens};
  bool const by_length = config_.rope_scaling.kind == RopeScaling::Kind::dynamic && !batch.prefix_tokens.empty();
  for (Index s = 0; s < tape_.sequences.size(); ++s) {
    Index const before = tape_.sequences.prefix(s) - tape_.sequences.begin(s), length = before + tape_.sequences.end(s);
    require(!by_length || length <= config_.max_position_embeddings, "model", "rope scaling dynamic rotates a sequence of ", length,
            " tokens, more than max_position_embeddings=", config_.max_position_embeddings,
            ", by its length: such sequences cannot share a prefix");
    for (Index row = tape_.sequences.begin(s); row < tape_.sequences.end(s); ++row)
      host_positions_[static_cast<std::size_t>(row)] = static_cast<std::int32_t>(before + row);
  }
  tape_.ids = take_integers(ws, batch.ids);
  tape_.rows = take_integers(ws, batch.rows);
  auto const* targets = language ? take_integers(ws, batch.targets) : nullptr;
  take_positions(ws, host_positions_, batch.cu_seqlens);

  Index const tokens = batch.tokens(), width = config_.hidden_size;
  if (options.gradient) tape_.d = ws.template take<T>(tokens, width);
  std::size_t begin = arena_->mark();
  Out<T> x = ws.template take<T>(tokens, width);
  embed(ws, tape_.ids, x);
  saved_.resize(blocks_.size());
  layer_ranges_.assign(blocks_.size(), {});
  for (std::size_t layer = 0; layer < blocks_.size(); ++layer) {
    auto const where = positions(static_cast<Index>(layer));
    enter_layer(layer, layer_after(layer));
    if (options.gradient && layer >= first_trained_) {
      saved_[layer] = blocks_[layer].take(ws, x, recompute_);
      layer_ranges_[layer] = {begin, arena_->mark()};
      begin = arena_->mark();
      auto const out = ws.template take<T>(tokens, width);
      blocks_[layer].forward(ws, where, saved_[layer], out);
      arena_->page_out(layer_ranges_[layer]);
      x = out;
    } else {
      blocks_[layer].forward(ws, where, blocks_[layer].take(ws, x, Recompute::full), x);
    }
  }
  tape_.after_blocks = arena_->mark();
  tape_.kept = options.gradient;

  Index const supervised = batch.supervised();
  tape_.selected = ws.template take<T>(supervised, width);
  tape_.normed = ws.template take<T>(supervised, width);
  backend_->embedding_forward(tape_.rows, dense(x), T{1}, tape_.selected);  // gathers the rows
  final_norm_->forward(ws, tape_.selected, tape_.normed);
  stats_.resize(language ? static_cast<std::size_t>(supervised) : 0);
  scores_.resize(score ? static_cast<std::size_t>(supervised * score_head_->spec().num_labels) : 0);
  if (score) score_head_->forward(ws, tape_.normed, scores_);
  if (!language) return stats_;
  In<T> read = tape_.normed;
  if (options.temperature != 1) {  // (h / t)·Wᵀ are the logits divided by t
    auto const scaled = ws.template take<T>(supervised, width);
    scale(*backend_, static_cast<T>(1 / options.temperature), read, scaled);
    read = scaled;
  }
  tape_.head = head_->forward(ws, read, targets, options.gradient, options.entropy_gradient, stats_, options.sum_sq_probs);
  return stats_;
}

template <class Arch, Scalar T, class B, class A>
template <class F>
void Transformer<Arch, T, B, A>::backward_from_hidden(F&& fill) {
  require(tape_.kept, "model", "backward needs a forward pass with PassOptions{.gradient = true} before it, once");
  tape_.kept = false;
  auto ws = workspace(options_);
  Out<T> const d = tape_.d;
  set_zero(*backend_, d);
  {
    auto scope = arena_->scope();
    auto const d_normed = ws.template take<T>(tape_.selected.rows, tape_.selected.cols);
    auto const d_selected = ws.template take<T>(tape_.selected.rows, tape_.selected.cols);
    set_zero(*backend_, d_selected);
    fill(ws, d_normed);
    final_norm_->backward(ws, tape_.selected, d_normed, d_selected);
    backend_->embedding_backward(tape_.rows, d_selected, T{1}, d);  // scatters them back
  }
  arena_->release(tape_.after_blocks);
  for (std::size_t layer = blocks_.size(); layer-- > first_trained_;) {
    enter_layer(layer, layer > first_trained_ ? std::optional(layer - 1) : std::nullopt);
    if (layer > first_trained_) arena_->page_in(layer_ranges_[layer - 1]);
    blocks_[layer].backward(ws, positions(static_cast<Index>(layer)), saved_[layer],
                            layer > first_trained_ || embeddings_trained(), d);
    arena_->page_out(layer_ranges_[layer]);
  }
  embedding_->backward(*backend_, tape_.ids, d);
  if (position_embedding_) position_embedding_->backward(*backend_, tape_.positions, d);
  backend_->synchronize();
}

template <class Arch, Scalar T, class B, class A>
void Transformer<Arch, T, B, A>::backward(std::span<TokenStats const> gradient, std::span<double const> score_gradient) {
  require(!tape_.kept || (gradient.size() == stats_.size() && score_gradient.size() == scores_.size()), "model",
          "backward got ", gradient.size(), " token gradients and ", score_gradient.size(), " score gradients for ",
          stats_.size(), " supervised tokens and ", scores_.size(), " scores");
  backward_from_hidden([&](Workspace<B>& ws, Out<T> d_normed) {
    if (has(options_.heads, Heads::language)) {
      head_->backward(ws, tape_.head, stats_, gradient, d_normed);
      if (options_.temperature != 1) scale(*backend_, static_cast<T>(1 / options_.temperature), In<T>(d_normed), d_normed);
    } else {
      set_zero(*backend_, d_normed);
    }
    if (has(options_.heads, Heads::score)) score_head_->backward(ws, tape_.normed, score_gradient, d_normed);
  });
}

template <class Arch, Scalar T, class B, class A>
void Transformer<Arch, T, B, A>::backward_hidden(In<T> gradient) {
  require(!tape_.kept || (gradient.rows == tape_.normed.rows && gradient.cols == tape_.normed.cols), "model",
          "backward_hidden got a gradient of shape (", gradient.rows, ", ", gradient.cols, ") for hidden states of shape (",
          tape_.normed.rows, ", ", tape_.normed.cols, ")");
  backward_from_hidden([&](Workspace<B>&, Out<T> d_normed) { backend_->copy(gradient, d_normed); });
}

template <class Arch, Scalar T, class B, class A>
void Transformer<Arch, T, B, A>::forward_cached(std::span<std::int32_t const> ids, std::span<std::int32_t const> positions,
                                                std::span<CacheLayer<T> const> cache, std::span<CacheEntry const> entries,
                                                std::span<std::int32_t const> rows, bool adapters, std::span<T> logits) {
  auto const tokens = static_cast<Index>(ids.size());
  PassOptions options;
  options.adapters = adapters;
  options.cached = true;
  tape_.kept = false;
  ensure({tokens, static_cast<Index>(rows.size()), static_cast<Index>(entries.size())}, options);
  arena_->release(0);
  auto ws = workspace(options);
  auto const* device_ids = take_integers(ws, ids);
  auto const* device_rows = take_integers(ws, rows);
  cached_bounds_.assign(1, 0);
  for (auto const& entry : entries) cached_bounds_.push_back(static_cast<std::int32_t>(entry.begin + entry.rows));
  take_positions(ws, positions, cached_bounds_);
  Out<T> const x = ws.template take<T>(tokens, config_.hidden_size);
  embed(ws, device_ids, x);
  for (std::size_t layer = 0; layer < blocks_.size(); ++layer) {
    Positions<T> const where = this->positions(static_cast<Index>(layer));
    enter_layer(layer, layer_after(layer));
    blocks_[layer].forward_cached(ws, where, cache[layer], entries, x);
  }
  auto const selected = ws.template take<T>(static_cast<Index>(rows.size()), config_.hidden_size);
  auto const normed = ws.template take<T>(static_cast<Index>(rows.size()), config_.hidden_size);
  backend_->embedding_forward(device_rows, dense(x), T{1}, selected);
  final_norm_->forward(ws, selected, normed);
  auto const device_logits = head_->logits(ws, normed);
  backend_->download(device_logits.data, logits.data(), logits.size_bytes());
}

}  // namespace graft
