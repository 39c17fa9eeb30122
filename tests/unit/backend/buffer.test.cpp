// SPDX-License-Identifier: Apache-2.0
#include <graft/backend/buffer.hpp>

#include <graft/backend/reference.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <type_traits>
#include <utility>
#include <vector>

using namespace graft;

TEST_CASE("buffer: new memory is zero and on a 64-byte boundary, however often memory was used before") {
  Reference backend;
  for (Index n : {1, 3, 1000}) {
    for (int round = 0; round < 3; ++round) {
      Buffer<double, Reference> buffer(backend, n);
      CHECK(buffer.size() == n);
      CHECK(buffer.bytes() == static_cast<std::size_t>(n) * 8);
      CHECK(reinterpret_cast<std::uintptr_t>(buffer.data()) % 64 == 0);
      double total = 0;
      for (Index i = 0; i < n; ++i) total += std::abs(buffer.data()[i]);
      CHECK(total == 0);
      std::fill_n(buffer.data(), n, 3.0);
    }
  }
}

TEST_CASE("buffer: uploads go to its beginning, downloads come from there, a view is the same memory") {
  Reference backend;
  Buffer<float, Reference> buffer(backend, 6);
  buffer.upload(std::vector<float>{1, 2, 3, 4});
  std::vector<float> host(6, 9);
  buffer.download(host);
  CHECK(host == std::vector<float>{1, 2, 3, 4, 0, 0});
  auto const view = buffer.view(2, 3);
  CHECK(view.row(1)[0] == 4);
  view.row(1)[2] = 8;
  buffer.download(host);
  CHECK(host.back() == 8);
}

TEST_CASE("buffer: moving hands the memory over, and assignment frees what was there") {
  Reference backend;
  Buffer<float, Reference> from(backend, 4);
  from.upload(std::vector<float>{1, 2, 3, 4});
  auto const* const data = from.data();
  Buffer<float, Reference> to(std::move(from));
  CHECK(to.data() == data);
  CHECK(to.size() == 4);
  Buffer<float, Reference> third(backend, 100);
  third = std::move(to);
  CHECK(third.data() == data);
  CHECK(third.size() == 4);
  CHECK(third.view(1, 4).data[3] == 4);
  static_assert(!std::is_copy_constructible_v<Buffer<float, Reference>>);
}

TEST_CASE("buffer: empty ones are fine") {
  Reference backend;
  Buffer<float, Reference> const none;
  CHECK(none.size() == 0);
  CHECK(none.data() == nullptr);
  Buffer<float, Reference> zero(backend, 0);
  CHECK(zero.bytes() == 0);
  zero.upload(std::vector<float>{});
}
