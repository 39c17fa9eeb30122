// SPDX-License-Identifier: Apache-2.0
// An adapter of your own in one struct, with nothing changed inside graft:  custom_adapter MODEL train.jsonl
// It is VeRA (Kopiczko et al., 2023): frozen random A (r, in), B (out, r), and two trained vectors d (r) and b (out):
//   Δ(x) = b ∘ (B·(d ∘ (A·x))),  b = 0 at first.
#include <graft/graft.hpp>

#include <cmath>
#include <cstdio>

using namespace graft;

struct Vera {
  Index rank = 64;
  TargetModules target_modules = all_linear;

  [[nodiscard]] bool targets(std::string_view module) const { return target_modules.matches(module); }

  template <Scalar T, class B>
  class Layer {
   public:
    Layer(Vera const& spec, LinearShape const& shape, B& backend)
        : shape_(shape), rank_(spec.rank), a_(backend, rank_ * shape.in), b_(backend, shape.out * rank_),
          vectors_(backend, rank_ + shape.out), grads_(backend, rank_ + shape.out) {
      Rng rng(0, static_cast<std::uint64_t>(shape.number));
      auto const fill = [&](Buffer<T, B>& buffer, double scale) {
        std::vector<T> values(static_cast<std::size_t>(buffer.size()));
        for (T& value : values) value = static_cast<T>(scale * rng.normal());
        buffer.upload(values);
      };
      fill(a_, 1 / std::sqrt(static_cast<double>(shape.in)));
      fill(b_, 1 / std::sqrt(static_cast<double>(rank_)));
      std::vector<T> const start(static_cast<std::size_t>(rank_), T(0.1));
      vectors_.upload(start);  // d = 0.1, b = 0
    }

    void forward(Workspace<B>& workspace, In<T> x, Out<T> y) {
      auto scope = workspace.arena.scope();
      auto const w = project(workspace, x, workspace.template take<T>(x.rows, rank_), workspace.template take<T>(x.rows, rank_));
      for (Index t = 0; t < y.rows; ++t) workspace.backend.map(y.cols, MultiplyAdd{}, b(), w.row(t), y.row(t));
    }
    void backward(Workspace<B>& workspace, In<T> x, In<T> dy, Out<T> dx) {
      auto scope = workspace.arena.scope();
      auto& backend = workspace.backend;
      auto const u = workspace.template take<T>(x.rows, rank_), v = workspace.template take<T>(x.rows, rank_);
      auto const w = project(workspace, x, u, v);
      for (Index t = 0; t < x.rows; ++t) {
        backend.map(dy.cols, MultiplyAdd{}, w.row(t), dy.row(t), grads_.data() + rank_);  // db += w ∘ dy
        backend.map(dy.cols, Multiply{}, b(), dy.row(t), w.row(t));                       // dw = b ∘ dy
      }
      backend.gemm(Op::none, Op::none, 1, w, b_.view(shape_.out, rank_), 0, v);  // dv = dw·B
      for (Index t = 0; t < x.rows; ++t) {
        backend.map(rank_, MultiplyAdd{}, u.row(t), v.row(t), grads_.data());  // dd += u ∘ dv
        backend.map(rank_, Multiply{}, d(), v.row(t), v.row(t));               // du = d ∘ dv
      }
      if (!dx.empty()) backend.gemm(Op::none, Op::none, 1, v, a_.view(rank_, shape_.in), 1, dx);
    }
    void append(Params<T>& params) {
      params.push_back({shape_.name + ".vera_lambda_d", {rank_}, {vectors_.data(), 1, rank_}, {grads_.data(), 1, rank_}, false});
      params.push_back({shape_.name + ".vera_lambda_b", {shape_.out}, {vectors_.data() + rank_, 1, shape_.out},
                        {grads_.data() + rank_, 1, shape_.out}, false});
    }
    void merge_into(Workspace<B>& workspace, Out<T> w) const {  // w += diag(b)·B·diag(d)·A
      auto scope = workspace.arena.scope();
      auto const scaled = workspace.template take<T>(shape_.out, rank_);
      for (Index o = 0; o < shape_.out; ++o) {
        workspace.backend.map(rank_, Multiply{}, d(), static_cast<T const*>(b_.data()) + o * rank_, scaled.row(o));
        workspace.backend.map(rank_, [factor = b() + o](T& value) { value *= *factor; }, scaled.row(o));
      }
      workspace.backend.gemm(Op::none, Op::none, 1, scaled, a_.view(rank_, shape_.in), 1, w);
    }

   private:
    struct Multiply {
      void operator()(T const& x, T const& y, T& z) const { z = x * y; }
    };
    struct MultiplyAdd {
      void operator()(T const& x, T const& y, T& z) const { z += x * y; }
    };
    T const* d() const { return vectors_.data(); }
    T const* b() const { return vectors_.data() + rank_; }
    /// u = x·Aᵀ, v = d ∘ u; returns w = v·Bᵀ.
    Out<T> project(Workspace<B>& workspace, In<T> x, Out<T> u, Out<T> v) {
      auto const w = workspace.template take<T>(x.rows, shape_.out);
      workspace.backend.gemm(Op::none, Op::transpose, 1, x, a_.view(rank_, shape_.in), 0, u);
      for (Index t = 0; t < x.rows; ++t) workspace.backend.map(rank_, Multiply{}, d(), static_cast<T const*>(u.row(t)), v.row(t));
      workspace.backend.gemm(Op::none, Op::transpose, 1, v, b_.view(shape_.out, rank_), 0, w);
      return w;
    }

    LinearShape shape_;
    Index rank_;
    Buffer<T, B> a_, b_, vectors_, grads_;
  };
};

int main(int argc, char** argv) {
  if (argc != 3) return std::puts("usage: custom_adapter MODEL DATA.jsonl"), 2;
  auto model = load<Llama>(argv[1], Vera{.rank = 64});
  auto data = ChatData{argv[2], model.tokenizer(), {.batch_size = 8}};
  auto optimizer = bind(AdamW{}, model.trainable());
  std::printf("%td trained parameters\n", model.trainable().elements());
  for (int step = 0; auto const& batch : data.epochs(1)) {
    auto const report = value_and_grad(model, CrossEntropy{}, batch);
    optimizer.step(1e-2);
    std::printf("step %3d  loss %.4f\n", step++, report.value);
    if (step == 20) break;
  }
}
