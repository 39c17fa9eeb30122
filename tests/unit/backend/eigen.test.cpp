// SPDX-License-Identifier: Apache-2.0
#include <graft/backend/eigen.hpp>

#include "support/agreement/all.hpp"
#include "support/agreement/rounded.hpp"

namespace graft::test {

TEST_CASE_TEMPLATE("eigen: every operation agrees with the reference, for any number of threads", T, float, double) {
  EigenBackend backend;
  everything_agrees<T>(backend);
}

TEST_CASE("eigen: bf16 products are those of operands rounded to bf16") {
  EigenBackend backend({.precision = Precision::bf16});
  rounded_products_agree(backend);
}

TEST_CASE("eigen: a backend that is used inside a parallel region gives the same bits") {
  Rng rng(1);
  auto const a = HostMatrix<float>::random(300, 70, rng), b = HostMatrix<float>::random(200, 70, rng);
  auto const stored = stored_weights(Storage::q4_1, 200, 96, rng);
  auto const x = HostMatrix<float>::random(5, 96, rng);
  auto const compute = [&] {
    EigenBackend backend;
    std::vector<float> product(300 * 200), linear(5 * 200);
    backend.gemm(Op::none, Op::transpose, 1, In<float>(a.values.data(), 300, 70), In<float>(b.values.data(), 200, 70), 0,
                 Out<float>(product.data(), 300, 200));
    backend.linear_forward(In<float>(x.values.data(), 5, 96), StoredMatrix{Storage::q4_1, stored.data(), 200, 96},
                           Out<float>(linear.data(), 5, 200));
    product.insert(product.end(), linear.begin(), linear.end());
    return product;
  };
  auto const outside = compute();
  std::vector<float> inside[3];
  set_num_threads(3);
  parallel_for(3, [&](Index i) { inside[i] = compute(); });
  set_num_threads(2);
  for (auto const& result : inside) CHECK(same_bits(result, outside));
}

}  // namespace graft::test
