// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/nn/builder.hpp>

#include <cstdint>
#include <string>

namespace graft {

/// x[t] = scale·W[ids[t]], W (V, C). Backward: dW[ids[t]] += scale·dx[t] if it is trained.
template <Scalar T, class B>
class Embedding {
 public:
  template <class A>
  Embedding(Builder<T, B, A>& builder, std::string const& name, Index vocabulary, Index width, double scale)
      : weight_(builder.weight(name + ".weight", {vocabulary, width})), scale_(static_cast<T>(scale)) {}

  void forward(B& backend, std::int32_t const* ids, Out<T> x) const {
    backend.embedding_forward(ids, weight_.stored(), scale_, x);
  }
  void backward(B& backend, std::int32_t const* ids, In<T> dx) const {
    if (weight_.trained()) backend.embedding_backward(ids, dx, scale_, weight_.grad());
  }

  [[nodiscard]] bool trained() const { return weight_.trained(); }
  [[nodiscard]] Weight<T, B> const& weight() const { return weight_; }
  void append(Params<T>& params) const { weight_.append(params); }

 private:
  Weight<T, B> weight_;
  T scale_;
};

}  // namespace graft
