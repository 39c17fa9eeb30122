// SPDX-License-Identifier: Apache-2.0
#include <graft/backend/cpu/int8_linear.hpp>

#include "support/agreement/products.hpp"
#include "support/tiny_model.hpp"

#include <graft/adapter/lora.hpp>
#include <graft/backend/eigen.hpp>
#include <graft/core/parallel.hpp>
#include <graft/loss/cross_entropy.hpp>
#include <graft/model/llama.hpp>
#include <graft/train/value_and_grad.hpp>

#include <cmath>

namespace graft::test {

namespace {

/// √(Σ(a - b)² / Σ b²)
template <class T>
double relative_error(std::vector<T> const& a, std::vector<T> const& b) {
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < b.size(); ++i) {
    difference += std::pow(static_cast<double>(a[i]) - static_cast<double>(b[i]), 2);
    size += std::pow(static_cast<double>(b[i]), 2);
  }
  return std::sqrt(difference / size);
}

std::vector<float> forward(EigenBackend& backend, In<float> x, StoredMatrix w) {
  std::vector<float> y(static_cast<std::size_t>(x.rows * w.rows));
  backend.linear_forward(x, w, Out<float>(y.data(), x.rows, w.rows));
  return y;
}

std::vector<float> backward(EigenBackend& backend, In<float> dy, StoredMatrix w) {
  std::vector<float> dx(static_cast<std::size_t>(dy.rows * w.cols), 0.25f);
  backend.linear_backward_input(dy, w, Out<float>(dx.data(), dy.rows, w.cols));
  return dx;
}

}  // namespace

TEST_CASE("int8 linear: every storage, one to three threads to the bit, gaps untouched, nothing allocated later") {
  EigenBackend backend({.precision = Precision::int8});
  Demands const rough{.float_tolerance = 1.0};  // threads, gaps and memory are asked for here; the error below
  linear_agrees<float>(backend, rough);
  large_linear_agrees<float>(backend, rough);
  linear_agrees<double>(backend);  // never rounded
}

TEST_CASE("int8 linear: products are off by less than 2 %, whatever outliers are in a column") {
  Rng rng(8);
  Index const tokens = 40, out = 150, in = 600;
  EigenBackend exact, rounded({.precision = Precision::int8});
  auto x = HostMatrix<float>::random(tokens, in, rng), dy = HostMatrix<float>::random(tokens, out, rng);
  auto const w = HostMatrix<float>::random(out, in, rng);
  for (bool const outlier : {false, true}) {
    if (outlier)
      for (Index t = 0; t < tokens; ++t)
        x.values[static_cast<std::size_t>(t * in + 3)] = dy.values[static_cast<std::size_t>(t * out + 3)] = 100;
    In<float> const inputs(x.values.data(), tokens, in), outputs(dy.values.data(), tokens, out);
    StoredMatrix weight{Storage::f32, reinterpret_cast<std::byte const*>(w.values.data()), out, in};
    auto const y = forward(exact, inputs, weight), dx = backward(exact, outputs, weight);
    double const forward_error = relative_error(forward(rounded, inputs, weight), y);
    double const backward_error = relative_error(backward(rounded, outputs, weight), dx);
    CHECK(forward_error < 0.02);
    CHECK(backward_error < 0.02);
    CHECK(forward_error > 1e-3);  // it did round
    CHECK(backward_error > 1e-3);
    weight.exact = true;
    CHECK(same_bits(forward(rounded, inputs, weight), y));
    CHECK(same_bits(backward(rounded, outputs, weight), dx));
    weight.exact = false;
    CHECK(same_bits(forward(rounded, inputs.rows_between(0, 4), weight), forward(exact, inputs.rows_between(0, 4), weight)));
    EigenBackend bf16({.precision = Precision::bf16});
    auto const few = inputs.rows_between(0, 16);
    CHECK(same_bits(forward(rounded, few, weight), forward(GRAFT_HAS_BF16_LANES ? bf16 : exact, few, weight)));
  }
}

TEST_CASE("int8 linear: what a token gets does not depend on the tokens beside it") {
  Rng rng(9);
  Index const tokens = 300, out = 90, in = 192;
  EigenBackend backend({.precision = Precision::int8});
  auto const x = HostMatrix<float>::random(tokens, in, rng), dy = HostMatrix<float>::random(tokens, out, rng);
  auto const stored = stored_weights(Storage::q4_1, out, in, rng);
  StoredMatrix const w{Storage::q4_1, stored.data(), out, in};
  In<float> const inputs(x.values.data(), tokens, in), outputs(dy.values.data(), tokens, out);
  auto const y = forward(backend, inputs, w), dx = backward(backend, outputs, w);
  auto const part = [](std::vector<float> const& all, Index cols) {
    return std::vector<float>(all.begin() + 33 * cols, all.begin() + 60 * cols);
  };
  CHECK(same_bits(forward(backend, inputs.rows_between(33, 60), w), part(y, out)));
  CHECK(same_bits(backward(backend, outputs.rows_between(33, 60), w), part(dx, in)));
}

TEST_CASE("int8 linear: a model's gradient points where that of f32 does, and threads do not change it") {
  auto config = tiny_config();
  config.vocab_size = 80;
  config.hidden_size = 96;
  config.head_dim = 24;
  config.intermediate_size = 160;
  RandomWeights weights(config);
  auto const batch = random_batch(config, {17, 30, 8, 21});
  auto const gradient = [&](Precision precision, int threads) {
    set_num_threads(threads);
    EigenBackend backend({.precision = precision});
    Transformer<Llama, float, EigenBackend, Lora> model(config, Lora{.rank = 4}, backend, weights.provider());
    Rng rng(11);
    for (auto const& param : model.trainable().params)
      for (Index i = 0; i < param.value.size(); ++i) param.value.data[i] += static_cast<float>(0.05 * rng.normal());
    (void)value_and_grad(model, CrossEntropy{}, batch);
    std::vector<float> all;
    for (auto const& param : model.trainable().params)
      all.insert(all.end(), param.grad.data, param.grad.data + param.grad.size());
    return all;
  };
  auto const exact = gradient(Precision::f32, 1), rounded = gradient(Precision::int8, 1),
             shared = gradient(Precision::int8, 3);
  set_num_threads(2);
  CHECK(same_bits(rounded, shared));
  CHECK(relative_error(rounded, exact) < 0.1);
  CHECK(relative_error(rounded, exact) > 1e-3);
}

}  // namespace graft::test
