// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/model/transformer.hpp>

#include <filesystem>
#include <memory>
#include <optional>
#include <utility>

namespace graft {

/// A transformer whose architecture is chosen at run time, with the interface of `Transformer`: training, evaluation,
/// generation and saving take either. Only the architecture is erased; scalar, backend and adapter stay types.
template <Scalar T, class B, class A>
class AnyTransformer {
 public:
  using ScalarType = T;
  using BackendType = B;
  using AdapterType = A;

  /// Takes over a model.
  template <class Arch>
  explicit AnyTransformer(std::unique_ptr<Transformer<Arch, T, B, A>> model)
      : model_(std::make_unique<Model<Arch>>(std::move(model))) {}

  std::span<TokenStats const> forward(TokenBatch const& batch, PassOptions options = {}) {
    return model_->forward(batch, options);
  }
  [[nodiscard]] std::span<double const> scores() const { return model_->scores(); }
  [[nodiscard]] In<T> hidden() const { return model_->hidden(); }
  void backward(std::span<TokenStats const> gradient, std::span<double const> score_gradient = {}) {
    model_->backward(gradient, score_gradient);
  }
  void backward_hidden(In<T> gradient) { model_->backward_hidden(gradient); }
  [[nodiscard]] Trainable<T, B> const& trainable() const { return model_->trainable(); }
  [[nodiscard]] std::span<TokenStats> token_gradient() { return model_->token_gradient(); }
  [[nodiscard]] std::span<double> score_gradient() { return model_->score_gradient(); }
  void add_score_head(ScoreHeadSpec const& spec = {}) { model_->add_score_head(spec); }
  [[nodiscard]] std::optional<ScoreHeadSpec> score_head() const { return model_->score_head(); }
  StepPlan reserve(BatchExtent extent, PassOptions options = PassOptions::step()) { return model_->reserve(extent, options); }
  [[nodiscard]] StepPlan plan(BatchExtent extent, PassOptions options = PassOptions::step()) const {
    return model_->plan(extent, options);
  }
  [[nodiscard]] StepPlan plan(TokenBatch const& batch, PassOptions options = PassOptions::step()) const {
    return model_->plan(batch, options);
  }
  void forward_cached(std::span<std::int32_t const> ids, std::span<std::int32_t const> positions,
                      std::span<CacheLayer<T> const> cache, std::span<CacheEntry const> entries,
                      std::span<std::int32_t const> rows, bool adapters, std::span<T> logits) {
    model_->forward_cached(ids, positions, cache, entries, rows, adapters, logits);
  }
  [[nodiscard]] std::vector<WeightInfo> weights() const { return model_->weights(); }
  void download_weight(std::size_t number, bool merged, std::span<T> host) const {
    model_->download_weight(number, merged, host);
  }
  [[nodiscard]] std::vector<std::size_t> mapped_layer_bytes() const { return model_->mapped_layer_bytes(); }
  void stream_layers(std::size_t window) { model_->stream_layers(window); }
  [[nodiscard]] std::size_t stream_window() const { return model_->stream_window(); }
  [[nodiscard]] StreamStatistics stream_statistics() const { return model_->stream_statistics(); }
  [[nodiscard]] std::vector<std::string> linear_modules() const { return model_->linear_modules(); }
  [[nodiscard]] ModelConfig const& config() const { return model_->config(); }
  [[nodiscard]] A const& adapter() const { return model_->adapter(); }
  [[nodiscard]] B& backend() const { return model_->backend(); }
  [[nodiscard]] std::vector<std::string> const& adapted_modules() const { return model_->adapted_modules(); }
  void set_recompute(Recompute level) { model_->set_recompute(level); }
  void page_activations(std::filesystem::path directory) { model_->page_activations(std::move(directory)); }
  [[nodiscard]] bool pages_activations() const { return model_->pages_activations(); }
  void set_dropout(std::uint64_t seed, std::uint64_t pass) { model_->set_dropout(seed, pass); }
  [[nodiscard]] std::uint64_t pass() const { return model_->pass(); }

 private:
  struct Concept {
    virtual ~Concept() = default;
    virtual std::span<TokenStats const> forward(TokenBatch const&, PassOptions) = 0;
    virtual std::span<double const> scores() const = 0;
    virtual In<T> hidden() const = 0;
    virtual void backward(std::span<TokenStats const>, std::span<double const>) = 0;
    virtual void backward_hidden(In<T>) = 0;
    virtual Trainable<T, B> const& trainable() const = 0;
    virtual std::span<TokenStats> token_gradient() = 0;
    virtual std::span<double> score_gradient() = 0;
    virtual void add_score_head(ScoreHeadSpec const&) = 0;
    virtual std::optional<ScoreHeadSpec> score_head() const = 0;
    virtual StepPlan reserve(BatchExtent, PassOptions) = 0;
    virtual StepPlan plan(BatchExtent, PassOptions) const = 0;
    virtual StepPlan plan(TokenBatch const&, PassOptions) const = 0;
    virtual void forward_cached(std::span<std::int32_t const>, std::span<std::int32_t const>, std::span<CacheLayer<T> const>,
                                std::span<CacheEntry const>, std::span<std::int32_t const>, bool, std::span<T>) = 0;
    virtual std::vector<WeightInfo> weights() const = 0;
    virtual void download_weight(std::size_t, bool, std::span<T>) const = 0;
    virtual std::vector<std::size_t> mapped_layer_bytes() const = 0;
    virtual void stream_layers(std::size_t) = 0;
    virtual std::size_t stream_window() const = 0;
    virtual StreamStatistics stream_statistics() const = 0;
    virtual std::vector<std::string> linear_modules() const = 0;
    virtual ModelConfig const& config() const = 0;
    virtual A const& adapter() const = 0;
    virtual B& backend() const = 0;
    virtual std::vector<std::string> const& adapted_modules() const = 0;
    virtual void set_recompute(Recompute) = 0;
    virtual void page_activations(std::filesystem::path) = 0;
    virtual bool pages_activations() const = 0;
    virtual void set_dropout(std::uint64_t, std::uint64_t) = 0;
    virtual std::uint64_t pass() const = 0;
  };

  template <class Arch>
  struct Model final : Concept {
    explicit Model(std::unique_ptr<Transformer<Arch, T, B, A>> m) : model(std::move(m)) {}
    std::span<TokenStats const> forward(TokenBatch const& batch, PassOptions options) override {
      return model->forward(batch, options);
    }
    std::span<double const> scores() const override { return model->scores(); }
    In<T> hidden() const override { return model->hidden(); }
    void backward(std::span<TokenStats const> gradient, std::span<double const> score_gradient) override {
      model->backward(gradient, score_gradient);
    }
    void backward_hidden(In<T> gradient) override { model->backward_hidden(gradient); }
    Trainable<T, B> const& trainable() const override { return model->trainable(); }
    std::span<TokenStats> token_gradient() override { return model->token_gradient(); }
    std::span<double> score_gradient() override { return model->score_gradient(); }
    void add_score_head(ScoreHeadSpec const& spec) override { model->add_score_head(spec); }
    std::optional<ScoreHeadSpec> score_head() const override { return model->score_head(); }
    StepPlan reserve(BatchExtent extent, PassOptions options) override { return model->reserve(extent, options); }
    StepPlan plan(BatchExtent extent, PassOptions options) const override { return model->plan(extent, options); }
    StepPlan plan(TokenBatch const& batch, PassOptions options) const override { return model->plan(batch, options); }
    void forward_cached(std::span<std::int32_t const> ids, std::span<std::int32_t const> positions,
                        std::span<CacheLayer<T> const> cache, std::span<CacheEntry const> entries,
                        std::span<std::int32_t const> rows, bool adapters, std::span<T> logits) override {
      model->forward_cached(ids, positions, cache, entries, rows, adapters, logits);
    }
    std::vector<WeightInfo> weights() const override { return model->weights(); }
    void download_weight(std::size_t number, bool merged, std::span<T> host) const override {
      model->download_weight(number, merged, host);
    }
    std::vector<std::size_t> mapped_layer_bytes() const override { return model->mapped_layer_bytes(); }
    void stream_layers(std::size_t window) override { model->stream_layers(window); }
    std::size_t stream_window() const override { return model->stream_window(); }
    StreamStatistics stream_statistics() const override { return model->stream_statistics(); }
    std::vector<std::string> linear_modules() const override { return model->linear_modules(); }
    ModelConfig const& config() const override { return model->config(); }
    A const& adapter() const override { return model->adapter(); }
    B& backend() const override { return model->backend(); }
    std::vector<std::string> const& adapted_modules() const override { return model->adapted_modules(); }
    void set_recompute(Recompute level) override { model->set_recompute(level); }
    void page_activations(std::filesystem::path directory) override { model->page_activations(std::move(directory)); }
    bool pages_activations() const override { return model->pages_activations(); }
    void set_dropout(std::uint64_t seed, std::uint64_t pass) override { model->set_dropout(seed, pass); }
    std::uint64_t pass() const override { return model->pass(); }

    std::unique_ptr<Transformer<Arch, T, B, A>> model;
  };

  std::unique_ptr<Concept> model_;
};

}  // namespace graft
