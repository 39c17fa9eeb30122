// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/model/transformer.hpp>

#include <algorithm>
#include <limits>
#include <map>
#include <type_traits>
#include <utility>

namespace graft {

template <class Arch, Scalar T, class B, class A>
void Transformer<Arch, T, B, A>::set_recompute(Recompute level) {
  recompute_ = level;
  arena_.reset();
  for (auto& reserved : reserved_) reserved = {};
  twin_.reset();
}

template <class Arch, Scalar T, class B, class A>
void Transformer<Arch, T, B, A>::page_activations(std::filesystem::path directory) {
  page_directory_ = std::move(directory);
  arena_.reset();
  for (auto& reserved : reserved_) reserved = {};
}

template <class Arch, Scalar T, class B, class A>
std::vector<std::size_t> Transformer<Arch, T, B, A>::mapped_layer_bytes() const {
  std::vector<std::size_t> bytes;
  for (auto const& block : blocks_) {
    bytes.push_back(0);
    block.visit([&](auto const& weight, auto const&) { bytes.back() += weight.mapped() ? weight.bytes() : 0; });
  }
  return bytes;
}

template <class Arch, Scalar T, class B, class A>
void Transformer<Arch, T, B, A>::stream_layers(std::size_t window) {
  require(ReadsHostMemory<B>, "stream", "this backend holds the weights in memory of its own");
  std::vector<LayerStream::Ranges> layers;
  for (auto const& block : blocks_)
    block.visit([&ranges = layers.emplace_back()](auto const& weight, auto const&) { weight.append_mapped(ranges); });
  stream_ = std::make_unique<LayerStream>(std::move(layers), window);
}

template <class Arch, Scalar T, class B, class A>
void Transformer<Arch, T, B, A>::ensure(BatchExtent extent, PassOptions const& options) {
  auto const& [have, had] = reserved_[kind_of(options)];
  auto const covers = [](bool has, bool wants) { return has || !wants; };
  bool const fits = arena_ && extent.tokens <= have.tokens && extent.supervised <= have.supervised &&
                    extent.sequences <= have.sequences && covers(had.training, options.training) &&
                    covers(had.entropy_gradient, options.entropy_gradient) && covers(had.sum_sq_probs, options.sum_sq_probs) &&
                    covers(had.temperature != 1, options.temperature != 1) && has(had.heads, options.heads);
  if (!fits) reserve(extent, options);
}

template <class Arch, Scalar T, class B, class A>
StepPlan Transformer<Arch, T, B, A>::reserve(BatchExtent extent, PassOptions options) {
  auto& [have, had] = reserved_[kind_of(options)];
  have = {std::max(extent.tokens, have.tokens), std::max(extent.supervised, have.supervised),
          std::max(extent.sequences, have.sequences)};
  had.gradient = options.gradient;
  had.cached = options.cached;
  had.training |= options.training;
  had.entropy_gradient |= options.entropy_gradient;
  had.sum_sq_probs |= options.sum_sq_probs;
  had.heads = had.heads | options.heads;
  if (options.temperature != 1) had.temperature = options.temperature;
  if constexpr (std::is_same_v<B, Dry>) {  // the twin itself: nothing to plan, any amount is there
    if (!arena_) arena_ = std::make_unique<Arena<B>>(*backend_, std::numeric_limits<std::size_t>::max() / 4);
    return {};
  } else {
    StepPlan const plan = this->plan(have, had);
    if (!arena_ || arena_->capacity() < plan.arena_bytes) {
      arena_.reset();
      arena_ = std::make_unique<Arena<B>>(*backend_, plan.arena_bytes, page_directory_);
    }
    return plan;
  }
}

template <class Arch, Scalar T, class B, class A>
auto Transformer<Arch, T, B, A>::twin() const -> Twin& {
  if (twin_) return *twin_;
  std::map<std::string, HostTensor> shapes;
  visit_weights([&](auto const& weight, auto const*) {
    shapes[weight.name()] = HostTensor{weight.storage(), weight.shape(), nullptr, nullptr};
  });
  WeightProvider const provider{[&](std::string const& name) { return shapes.at(name); },
                                [&](std::string const& name) { return shapes.count(name) != 0; }};
  twin_backend_ = std::make_unique<Dry>();
  twin_ = std::make_unique<Twin>(config_, adapter_, *twin_backend_, provider);
  twin_->recompute_ = recompute_;
  if (score_head_) twin_->add_score_head(score_head_->spec());
  return *twin_;
}

template <class Arch, Scalar T, class B, class A>
StepPlan Transformer<Arch, T, B, A>::plan(BatchExtent extent, PassOptions options) const {
  TokenBatch batch;
  batch.ids.assign(static_cast<std::size_t>(extent.tokens), 0);
  batch.cu_seqlens.assign(static_cast<std::size_t>(std::max<Index>(extent.sequences, 1)), 0);
  batch.cu_seqlens.push_back(static_cast<std::int32_t>(extent.tokens));
  batch.rows.assign(static_cast<std::size_t>(extent.supervised), 0);
  batch.targets.assign(static_cast<std::size_t>(extent.supervised), 0);
  if (!options.cached) return this->plan(batch, options);
  auto& cached = twin();
  std::vector<CacheLayer<T>> layers(blocks_.size(), CacheLayer<T>{nullptr, nullptr, 0});
  std::vector<std::int32_t> const zeros(static_cast<std::size_t>(extent.tokens), 0);
  std::vector<CacheEntry> entries(static_cast<std::size_t>(std::max<Index>(extent.sequences, 1)));
  cached.backend_->reset();
  if (cached.arena_) cached.arena_->reset_peak();
  std::vector<T> logits;
  cached.forward_cached(zeros, zeros, layers, entries, batch.rows, true, logits);
  return {cached.arena_->peak(), cached.backend_->flops()};
}

template <class Arch, Scalar T, class B, class A>
StepPlan Transformer<Arch, T, B, A>::plan(TokenBatch const& batch, PassOptions options) const {
  auto& dry = twin();
  auto& backend = *dry.backend_;
  backend.reset();
  if (dry.arena_) dry.arena_->reset_peak();
  auto const stats = dry.forward(batch, options);
  if (options.gradient) dry.backward(stats, dry.scores());
  std::size_t layers = 0, largest = 0;
  for (auto const& range : dry.layer_ranges_) {
    layers += range.bytes();
    largest = std::max(largest, range.bytes());
  }
  return {dry.arena_->peak(), backend.flops(), layers - largest};
}

}  // namespace graft
