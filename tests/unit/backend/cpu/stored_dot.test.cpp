// SPDX-License-Identifier: Apache-2.0
#include <graft/backend/eigen.hpp>
#include <graft/backend/cpu/stored_dot.hpp>

#include "support/backend_agreement.hpp"
#include "support/stored_weights.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

namespace graft::test {

TEST_CASE("stored_dot: few tokens times weights in any storage are the sums of exact products") {
  Rng rng(3);
  EigenBackend backend;
  for (auto const storage : all_storages)
    for (Index const cols : {Index{256}, Index{768}, Index{100}}) {
      if (cols % block_elements(storage) != 0) continue;
      Index const rows = 43;
      auto const bytes = stored_weights(storage, rows, cols, rng);
      StoredMatrix const w{storage, bytes.data(), rows, cols};
      std::vector<double> exact(static_cast<std::size_t>(rows * cols));
      decode_rows(w, 0, rows, Out<double>(exact.data(), rows, cols));
      for (Index const tokens : {1, 2, 3, 4, 5, 8, 16, 17}) {
        auto const x = HostMatrix<float>::random(tokens, cols, rng);
        std::vector<float> y(static_cast<std::size_t>(tokens * rows));
        backend.linear_forward(In<float>(x.values.data(), tokens, cols), w, Out<float>(y.data(), tokens, rows));
        double worst = 0;
        for (Index t = 0; t < tokens; ++t)
          for (Index r = 0; r < rows; ++r) {
            double sum = 0, size = 0;
            for (Index c = 0; c < cols; ++c) {
              double const product = exact[static_cast<std::size_t>(r * cols + c)] *
                                     static_cast<double>(x.values[static_cast<std::size_t>(t * cols + c)]);
              sum += product;
              size += std::abs(product);
            }
            worst = std::max(worst, std::abs(static_cast<double>(y[static_cast<std::size_t>(t * rows + r)]) - sum) / size);
          }
        INFO(name(storage), ' ', cols, ' ', tokens);
        CHECK(worst < 2e-6);
      }
    }
}

TEST_CASE("stored_dot: the bits do not depend on how many rows a task has, or how many tokens come with one") {
#if GRAFT_HAS_LANES
  Rng rng(4);
  Index const rows = 40, cols = 256;
  for (auto const storage : all_storages) {
    auto const bytes = stored_weights(storage, rows, cols, rng);
    StoredMatrix const w{storage, bytes.data(), rows, cols};
    auto const x = HostMatrix<float>::random(3, cols, rng);
    std::vector<float> sums(3 * cols / detail::dot_block), decoded(cols), together(3 * rows), alone(rows);
    In<float> const all(x.values.data(), 3, cols), second = all.rows_between(1, 2);
    detail::sum_blocks(all, sums.data());
    detail::dot_rows(w, 0, rows, all, sums.data(), decoded.data(), Out<float>(together.data(), 3, rows));
    for (Index begin = 0; begin < rows; begin += 7) {
      Index const end = std::min(rows, begin + 7);
      detail::dot_rows(w, begin, end, second, sums.data() + cols / detail::dot_block, decoded.data(),
                       Out<float>(alone.data() + begin, 1, end - begin));
    }
    INFO(name(storage));
    CHECK(std::equal(alone.begin(), alone.end(), together.begin() + rows));
  }
#endif
}

}  // namespace graft::test
