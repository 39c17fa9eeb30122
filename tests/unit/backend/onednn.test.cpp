// SPDX-License-Identifier: Apache-2.0
#ifdef GRAFT_WITH_ONEDNN
#include <graft/backend/onednn.hpp>

#include "support/agreement/all.hpp"
#include "support/agreement/rounded.hpp"

#include <utility>

namespace graft::test {

TEST_CASE_TEMPLATE("onednn: every operation agrees with the reference, for any number of threads", T, float, double) {
  OneDnn backend;
  everything_agrees<T>(backend);
}

TEST_CASE("onednn: bf16 products are those of operands rounded to bf16") {
  OneDnn backend({.precision = Precision::bf16});
  rounded_products_agree(backend);
}

TEST_CASE("onednn: threads that share bf16 primitives do not disturb each other") {
  OneDnn backend({.precision = Precision::bf16});
  Rng rng(14);
  Index const tokens = 700;
  for (auto const& shape : {std::pair<Index, Index>{576, 192}, {576, 576}, {1536, 576}, {576, 1536}}) {
    Index const in = shape.first, out = shape.second;
    auto const x = HostMatrix<float>::random(tokens, in, rng), dy = HostMatrix<float>::random(tokens, out, rng);
    auto const w = HostMatrix<float>::random(out, in, rng);
    REQUIRE(w.stride == in);
    StoredMatrix const weight{Storage::f32, reinterpret_cast<std::byte const*>(w.values.data()), out, in};
    auto const products = [&](int threads) {
      int const before = num_threads();
      set_num_threads(threads);
      auto y = HostMatrix<float>::filled(tokens, out, 0.0f), dx = HostMatrix<float>::filled(tokens, in, 0.0f);
      backend.linear_forward(In<float>(x.values.data(), tokens, in, x.stride), weight, Out<float>(y.values.data(), tokens, out, y.stride));
      backend.linear_backward_input(In<float>(dy.values.data(), tokens, out, dy.stride), weight,
                                    Out<float>(dx.values.data(), tokens, in, dx.stride));
      set_num_threads(before);
      y.values.insert(y.values.end(), dx.values.begin(), dx.values.end());
      return y.values;
    };
    auto const together = products(4);  // first: so that several threads make primitives
    auto const alone = products(1);
    CHECK(together == alone);
    for (int repeat = 0; repeat < 3; ++repeat) CHECK(products(4) == alone);
  }
}

// The bf16 path needs AVX512_BF16 or AMX; its primitives, strides, accumulation and cache are the same for float.
TEST_CASE("onednn: matmul primitives agree with sgemm for every transposition, stride and accumulation") {
  Rng rng(12);
  for (Op const op_b : {Op::none, Op::transpose})
    for (float const beta : {0.0f, 1.0f})
      for (Index const m : {1, 5, 40})
        for (Index const k : {0, 3, 64})
          for (int repeat = 0; repeat < 2; ++repeat) {
            Index const n = 17;
            auto const a = HostMatrix<float>::random(m, k, rng, 1, 3);
            auto const b = op_b == Op::none ? HostMatrix<float>::random(k, n, rng, 1, 2) : HostMatrix<float>::random(n, k, rng, 1, 2);
            auto const start = HostMatrix<float>::random(m, n, rng, 1, 1);
            auto expected = start, actual = start;
            detail::onednn_tile_gemm(Op::none, op_b, m, n, k, 1.0f, a.values.data(), a.stride, b.values.data(), b.stride, beta,
                                     expected.values.data(), expected.stride);
            detail::onednn_matmul(op_b, m, n, k, a.values.data(), a.stride, b.values.data(), b.stride, beta,
                                  actual.values.data(), actual.stride);
            CHECK(deviation(actual.values, expected.values) < 1e-5);
          }
}

}  // namespace graft::test
#endif
