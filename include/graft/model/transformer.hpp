// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/adapter/strict_targets.hpp>
#include <graft/backend/dry.hpp>
#include <graft/backend/trainable.hpp>
#include <graft/model/architecture.hpp>
#include <graft/model/config.hpp>
#include <graft/model/layer_stream.hpp>
#include <graft/model/pass.hpp>
#include <graft/model/rope_frequencies.hpp>
#include <graft/nn/block.hpp>
#include <graft/nn/embedding.hpp>
#include <graft/nn/lm_head.hpp>
#include <graft/nn/score_head.hpp>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace graft {

/// A weight of the base model.
struct WeightInfo {
  std::string name;
  std::vector<Index> shape;
  Storage storage = Storage::f32;
  bool trained = false;
  bool adapted = false;
  std::size_t bytes = 0;  ///< in memory: as stored, with scales; vectors and what is trained as floats
};

/// A decoder-only transformer of architecture `Arch` in scalar T on backend B, adapted by A.
///   forward   tokens → token statistics of the supervised predictions, scores of the same rows, or both
///   backward  their gradient → gradients of everything that is trained
/// Not thread-safe. Memory: the weights, the adapter, and one arena that `reserve` plans; a pass larger than what was
/// reserved plans anew, once.
template <class Arch, Scalar T, class B, class A>
class Transformer {
  static_assert(Architecture<Arch>, "Arch must be a traits struct such as graft::Llama – see docs/model.md");
  static_assert(Backend<B, T>, "B must model graft::Backend – see docs/backend.md for its operations");
  static_assert(Adapter<A, T, B>, "A must model graft::Adapter: an aggregate with targets(name) and a nested Layer<T, B> "
                                  "that has forward, backward, append and merge_into – see docs/adapter.md");

 public:
  using Architecture_ = Arch;
  using ScalarType = T;
  using BackendType = B;
  using AdapterType = A;
  using AdapterLayer = typename A::template Layer<T, B>;

  Transformer(ModelConfig config, A adapter, B& backend, WeightProvider const& weights);

  /// Runs the packed sequences of `batch` and the heads of `options` on the hidden states of its N rows; returns the
  /// statistics of its supervised predictions (none without the language head; then `batch.targets` may be empty), valid
  /// until the next pass. With `options.gradient`, `backward` may follow. Errors: a score head that there is not; a
  /// sequence longer than the table of learned positions; prefixes shared by sequences so long that rotations depend on
  /// their length (rope scaling `dynamic`). Ids and rows must be in range (see data's `validate`).
  std::span<TokenStats const> forward(TokenBatch const& batch, PassOptions options = {});

  /// The scores of the last pass with the score head, (N·num_labels), row by row; valid until the next pass.
  [[nodiscard]] std::span<double const> scores() const { return scores_; }
  /// The hidden states of the last pass after the final norm, (N, C), in the backend's memory; valid until the next pass.
  [[nodiscard]] In<T> hidden() const { return tape_.normed; }

  /// Adds the gradients of Σ_n ⟨gradient[n], stats[n]⟩ + Σ_i score_gradient[i]·scores[i] for the pass that `forward` kept, to
  /// every trained parameter. Each span belongs to a head of that pass and is empty without it.
  void backward(std::span<TokenStats const> gradient, std::span<double const> score_gradient = {});
  /// The same for a head of the caller's own: from the gradient (N, C) of `hidden()`, in the backend's memory.
  void backward_hidden(In<T> gradient);

  /// Everything that is trained, in the order of the model.
  [[nodiscard]] Trainable<T, B> const& trainable() const { return trainable_; }

  /// One gradient for each supervised prediction of the last forward pass: a place for a loss to write, reused by steps.
  [[nodiscard]] std::span<TokenStats> token_gradient() {
    token_gradient_.resize(stats_.size());
    return token_gradient_;
  }
  /// The same for its scores.
  [[nodiscard]] std::span<double> score_gradient() {
    score_gradient_.resize(scores_.size());
    return score_gradient_;
  }

  /// Gives the model a score head, whose weight joins what is trained: call it before an optimizer is bound. A second call
  /// is an error.
  void add_score_head(ScoreHeadSpec const& spec = {});
  /// The score head's specification; nothing without one.
  [[nodiscard]] std::optional<ScoreHeadSpec> score_head() const {
    return score_head_ ? std::optional(score_head_->spec()) : std::nullopt;
  }

  /// Plans memory for passes up to `extent` and takes it. Returns the plan.
  StepPlan reserve(BatchExtent extent, PassOptions options = PassOptions::step());

  /// What one pass of that extent needs. Nothing is computed.
  [[nodiscard]] StepPlan plan(BatchExtent extent, PassOptions options = PassOptions::step()) const;
  /// The same for the very sequences of `batch`: its FLOPs are exact.
  [[nodiscard]] StepPlan plan(TokenBatch const& batch, PassOptions options = PassOptions::step()) const;

  /// Forward over cached keys and values, for generation. `ids` and `positions` (T) are the new tokens of all entries;
  /// the logits of the rows `rows` are copied to `logits` (rows, V).
  void forward_cached(std::span<std::int32_t const> ids, std::span<std::int32_t const> positions,
                      std::span<CacheLayer<T> const> cache, std::span<CacheEntry const> entries,
                      std::span<std::int32_t const> rows, bool adapters, std::span<T> logits);

  /// All weights of the base, in the order of the model.
  [[nodiscard]] std::vector<WeightInfo> weights() const;
  /// Copies weight `number` of that list, decoded and as files hold it, to host memory; `merged`: with its adapter, W + Δ.
  void download_weight(std::size_t number, bool merged, std::span<T> host) const;

  /// Names of all linear modules that an adapter can sit on, in the order of the model.
  [[nodiscard]] std::vector<std::string> linear_modules() const;

  [[nodiscard]] ModelConfig const& config() const { return config_; }
  [[nodiscard]] A const& adapter() const { return adapter_; }
  [[nodiscard]] B& backend() const { return *backend_; }
  [[nodiscard]] std::vector<std::string> const& adapted_modules() const { return adapted_; }
  [[nodiscard]] Recompute recompute() const { return recompute_; }
  /// Trades time for memory; takes effect with the next `reserve`.
  void set_recompute(Recompute level);
  /// From now on activations lie in a file of `directory`: those of a layer leave memory when it has computed, until backward comes to
  /// it. The same bits. Takes effect with the next `reserve`, which has `PagedMemory`'s errors.
  void page_activations(std::filesystem::path directory);
  [[nodiscard]] bool pages_activations() const { return !page_directory_.empty(); }
  /// Bytes of each layer that stay in a mapped file: what `stream_layers` can keep out of memory.
  [[nodiscard]] std::vector<std::size_t> mapped_layer_bytes() const;
  /// From now on at most `window` bytes of them are in memory; a thread reads the next layer while one computes. The same
  /// bits. Errors: a window smaller than two neighbouring layers; a backend that does not read host memory.
  void stream_layers(std::size_t window);
  /// The window of `stream_layers`; 0 without it.
  [[nodiscard]] std::size_t stream_window() const { return stream_ ? stream_->window() : 0; }
  /// What streaming came to; zeros without it.
  [[nodiscard]] StreamStatistics stream_statistics() const { return stream_ ? stream_->statistics() : StreamStatistics{}; }

  /// Seeds the dropout masks. `pass` counts training passes: a resumed run sets it to where it was.
  void set_dropout(std::uint64_t seed, std::uint64_t pass) {
    dropout_seed_ = seed;
    pass_ = pass;
  }
  [[nodiscard]] std::uint64_t pass() const { return pass_; }
  [[nodiscard]] std::size_t arena_peak() const { return arena_ ? arena_->peak() : 0; }
  [[nodiscard]] std::size_t arena_capacity() const { return arena_ ? arena_->capacity() : 0; }

 private:
  using BlockType = Block<Arch, T, B, A>;
  /// The same model on the backend that only counts.
  using Twin = Transformer<Arch, T, Dry, A>;
  template <class, Scalar, class, class>
  friend class Transformer;  // reads its twin's arena

  [[nodiscard]] BlockConfig block_config(Index layer) const;

  /// Calls visit(weight, layer) for every weight in the order of the model; `layer` is its adapter layer or nullptr.
  template <class F>
  void visit_weights(F&& visit) const;

  void check_adapter(Builder<T, B, A>& builder);

  [[nodiscard]] bool embeddings_trained() const {
    return embedding_->trained() || (position_embedding_ && position_embedding_->trained());
  }

  void collect_trainable();

  /// What stays of a pass between forward and backward.
  struct Tape {
    bool kept = false;
    std::size_t after_blocks = 0;
    Out<T> d;                     // (T, C), gradient of the residual stream
    std::int32_t const* ids = nullptr;
    std::int32_t const* positions = nullptr;
    std::int32_t const* rows = nullptr;
    Out<T> selected;              // (N, C), residual stream of the batch's rows
    Out<T> normed;                // (N, C), the same after the final norm
    typename LmHead<T, B>::Pass head;
    PackedSequences sequences;
    In<T> cos, sin, local_cos, local_sin;
  };

  /// Streaming only: `layer` is about to compute, `next` after it.
  void enter_layer(std::size_t layer, std::optional<std::size_t> next) {
    if (stream_) stream_->enter(layer, next);
  }
  [[nodiscard]] std::optional<std::size_t> layer_after(std::size_t layer) const {
    return layer + 1 < blocks_.size() ? std::optional(layer + 1) : std::nullopt;
  }
  [[nodiscard]] Workspace<B> workspace(PassOptions const& options) const {
    return {*backend_, *arena_, options.training, options.adapters, dropout_seed_, pass_};
  }
  [[nodiscard]] Positions<T> positions(Index layer) const {
    bool const local = config_.is_sliding(layer);
    return {tape_.sequences, local ? tape_.local_cos : tape_.cos, local ? tape_.local_sin : tape_.sin};
  }
  [[nodiscard]] static StoredMatrix dense(In<T> x) {
    return {Weight<T, B>::dense_storage(), reinterpret_cast<std::byte const*>(x.data), x.rows, x.cols};
  }
  [[nodiscard]] std::int32_t* take_integers(Workspace<B>& workspace, std::span<std::int32_t const> host) {
    auto const view = workspace.template take<std::int32_t>(1, static_cast<Index>(host.size()));
    backend_->upload(host.data(), view.data, host.size_bytes());
    return view.data;
  }
  /// Uploads the positions, and takes what the layers need of them: the tables of rotations. Sequence s has the rows from
  /// bounds[s] to bounds[s + 1].
  void take_positions(Workspace<B>& workspace, std::span<std::int32_t const> positions, std::span<std::int32_t const> bounds);
  /// Rotations whose frequencies depend on each sequence's length: dynamic scaling.
  void fill_by_length(std::span<std::int32_t const> positions, std::span<std::int32_t const> bounds, Out<T> cos, Out<T> sin) const;
  /// x (T, C) = the embeddings of the tokens, and of their positions where these are learned.
  void embed(Workspace<B>& workspace, std::int32_t const* ids, Out<T> x) const;
  /// Ends the tape and calls fill(workspace, d_normed) for the gradient of the hidden states, (N, C); then all below them.
  template <class F>
  void backward_from_hidden(F&& fill);
  /// Plans and takes memory unless what is there suffices.
  void ensure(BatchExtent extent, PassOptions const& options);
  [[nodiscard]] Twin& twin() const;

  ModelConfig config_;
  A adapter_;
  B* backend_;
  std::unique_ptr<Embedding<T, B>> embedding_, position_embedding_;
  std::vector<BlockType> blocks_;
  std::unique_ptr<LayerStream> stream_;
  std::optional<typename Arch::template Norm<T, B>> final_norm_;
  std::unique_ptr<Weight<T, B>> head_weight_;
  std::optional<LmHead<T, B>> head_;
  std::optional<ScoreHead<T, B>> score_head_;
  std::vector<std::string> adapted_;
  std::size_t first_trained_ = 0;
  RopeFrequencies global_rope_, local_rope_;

  Recompute recompute_ = Recompute::none;
  std::unique_ptr<Arena<B>> arena_;
  std::filesystem::path page_directory_;
  std::vector<typename Arena<B>::Range> layer_ranges_;  // of the arena: what backward needs of each layer
  /// What the arena suffices for: passes without gradient, with it, and over a cache.
  struct Reserved {
    BatchExtent extent;
    PassOptions options = {.heads = Heads::none};
  };
  Reserved reserved_[3];
  [[nodiscard]] static std::size_t kind_of(PassOptions const& options) { return options.gradient ? 1 : options.cached ? 2 : 0; }
  mutable std::unique_ptr<Twin> twin_;
  mutable std::unique_ptr<Dry> twin_backend_;
  std::uint64_t dropout_seed_ = 0;
  std::uint64_t pass_ = 0;

  Tape tape_;
  PassOptions options_;
  std::vector<typename BlockType::Saved> saved_;
  std::vector<std::int32_t> host_positions_, cached_bounds_;
  std::vector<TokenStats> stats_, token_gradient_;
  std::vector<double> scores_, score_gradient_;
  Trainable<T, B> trainable_;
};

}  // namespace graft

#include <graft/model/transformer.tpp>
#include <graft/model/transformer_build.tpp>
#include <graft/model/transformer_memory.tpp>
