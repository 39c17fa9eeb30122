// SPDX-License-Identifier: Apache-2.0
#include <graft/backend/dry.hpp>

#include <graft/adapter/frozen.hpp>
#include <graft/adapter/full_fine_tune.hpp>
#include <graft/adapter/lora.hpp>
#include <graft/backend/reference.hpp>
#include <graft/model/llama.hpp>
#include <graft/model/transformer.hpp>

#include <support/tiny_model.hpp>

#include <doctest/doctest.h>

using namespace graft;

namespace {

/// Query–key pairs of one causal sequence, counted one by one.
double pairs(Index n, Index window) {
  double count = 0;
  for (Index i = 0; i < n; ++i)
    for (Index j = 0; j <= i; ++j)
      if (window == 0 || i - j < window) ++count;
  return count;
}

}  // namespace

static_assert(Backend<Dry, float> && Backend<Dry, double>);

TEST_CASE("dry: a product of any orientation counts two FLOPs for each multiply-add") {
  Dry dry;
  Out<double> const none;
  auto const view = [](Index rows, Index cols) { return Out<double>(nullptr, rows, cols); };
  dry.gemm(Op::none, Op::none, 1.0, view(3, 5), view(5, 7), 0.0, view(3, 7));
  CHECK(dry.flops() == 2 * 3 * 5 * 7);
  dry.reset();
  dry.gemm(Op::transpose, Op::none, 1.0, view(5, 3), view(5, 7), 1.0, view(3, 7));
  CHECK(dry.flops() == 2 * 3 * 5 * 7);
  dry.reset();
  StoredMatrix const w{Storage::f32, nullptr, 7, 5};
  dry.linear_forward(view(3, 5), w, view(3, 7));
  CHECK(dry.flops() == 2 * 3 * 5 * 7);
  dry.linear_backward_input(view(3, 7), w, view(3, 5));
  CHECK(dry.flops() == 2 * 2 * 3 * 5 * 7);
  dry.add_bias(view(1, 7), view(3, 7));
  dry.rms_norm_forward(view(3, 7), view(1, 7), 1.0, view(3, 7));
  CHECK(dry.flops() == 2 * 2 * 3 * 5 * 7);
  dry.gemm(Op::none, Op::none, 1.0, none, none, 0.0, none);
  CHECK(dry.flops() == 2 * 2 * 3 * 5 * 7);
}

TEST_CASE("dry: causal attention counts the pairs that are seen, sequence by sequence, with and without a window") {
  Out<double> const none;
  std::vector<std::int32_t> const cu{0, 5, 6, 14};
  for (Index const window : {0, 1, 3, 5, 8, 100}) {
    CAPTURE(window);
    AttentionShape const shape{4, 2, 8, 1, window};
    double const seen = (pairs(5, window) + pairs(1, window) + pairs(8, window)) * 4;
    Dry dry;
    dry.attention_forward(none, none, none, shape, cu, none, none);
    CHECK(dry.flops() == seen * 2 * 2 * 8);  // q·k and p·v
    dry.reset();
    dry.attention_backward(none, none, none, none, none, none, shape, cu, none, none, none);
    CHECK(dry.flops() == seen * 5 * 2 * 8);
    dry.reset();
    // The last 3 of 8 tokens, and the first 2 of 2.
    std::vector<CachedSequence<double>> const cached{{0, 3, 8, nullptr, nullptr}, {3, 2, 2, nullptr, nullptr}};
    dry.attention_cached(none, shape, std::span<CachedSequence<double> const>(cached), none);
    CHECK(dry.flops() == (pairs(8, window) - pairs(5, window) + pairs(2, window)) * 4 * 2 * 2 * 8);
  }
}

TEST_CASE("dry: the FLOPs of a whole step equal those counted by hand") {
  auto config = test::tiny_config();
  config.layer_is_sliding = {true, false, false};
  config.sliding_window = 3;
  test::RandomWeights weights(config);
  Reference backend;
  auto const batch = test::random_batch(config, {7, 4});
  double const T = 11, N = static_cast<double>(batch.supervised()), C = 12, F = 20, Q = 16, K = 8, V = 29, r = 3, layers = 3;
  double const seen = 2 * (pairs(7, 0) + pairs(4, 0)) + pairs(7, 3) + pairs(4, 3);
  struct Shape { double in, out; };
  std::vector<Shape> const linears{{C, Q}, {C, K}, {C, K}, {Q, C}, {C, F}, {C, F}, {F, C}};
  double base = 0, low_rank = 0;
  for (auto const& [in, out] : linears) {
    base += layers * 2 * T * in * out;
    low_rank += layers * 2 * T * r * (in + out);
  }
  double const attention = seen * 2 * Q, head = 2 * N * C * V;

  Transformer<Llama, double, Reference, Frozen> const frozen(config, {}, backend, weights.provider());
  CHECK(frozen.plan(batch, {}).flops == base + 2 * attention + head);

  Transformer<Llama, double, Reference, Lora> const lora(config, Lora{.rank = 3}, backend, weights.provider());
  // Backward: U again and dA, each r·in; du and dB, each r·out; dx, W's part and A's, but not for the first layer's q, k, v.
  double down = 0;  // products with A
  for (auto const& linear : linears) down += layers * 2 * T * r * linear.in;
  double const first = 2 * T * (C * Q + C * K + C * K) + 3 * 2 * T * r * C;
  double const backward = 2 * low_rank + base + down - first;
  CHECK(lora.plan(batch).flops == base + low_rank + 2 * attention + 2 * head + backward + 5 * attention);

  Transformer<Llama, double, Reference, FullFineTune> const full(config, {}, backend, weights.provider());
  // dW costs what forward does, for every linear and for the tied head, whose logits are made a second time.
  CHECK(full.plan(batch).flops == base + 2 * attention + 2 * head + 2 * base + 5 * attention + 2 * head);
}

TEST_CASE("dry: memory has an address that is aligned and costs nothing") {
  Dry dry;
  auto const memory = dry.allocate(std::size_t{1} << 50);
  CHECK(reinterpret_cast<std::uintptr_t>(memory.data()) % 64 == 0);
  std::vector<char> host(5, 'x');
  dry.upload(host.data(), memory.data(), 5);
  dry.download(memory.data(), host.data(), 5);
  CHECK(host == std::vector<char>(5, '\0'));
}
