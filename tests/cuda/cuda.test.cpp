// SPDX-License-Identifier: Apache-2.0
#include <graft/backend/cuda.hpp>

#include "support/agreement/all.hpp"
#include "support/agreement/rounded.hpp"
#include "support/count_allocations.hpp"
#include "support/message_of.hpp"

#include <graft/backend/eigen.hpp>

#include <string>
#include <vector>

namespace graft::test {

// A machine without a device runs only the case of the error; each other case says that it was skipped.
#define GRAFT_NEEDS_DEVICE()                                              \
  if (!Cuda<>::available()) {                                             \
    MESSAGE("skipped: this machine has no CUDA device");                  \
    return;                                                               \
  }

/// Every product goes to the device.
inline CudaOptions all(Precision precision = Precision::f32) {
  return {.precision = precision, .smallest_flops = 0, .flops_per_byte = 0};
}

TEST_CASE("cuda: a machine without a device, a device that is not there and int8 are errors") {
  if (!Cuda<>::available()) {
    CHECK(message_of([] { Cuda<> backend; }).find("[cuda] no device: ") == 0);
  } else {
    CHECK(message_of([] { Cuda<> backend({.device = 99}); }).find("device 99 was asked for, there are ") != std::string::npos);
  }
  CHECK(message_of([] { Cuda<> backend({.precision = Precision::int8}); }).find("must be f32 or bf16: got int8") != std::string::npos);
}

TEST_CASE_TEMPLATE("cuda: every operation agrees with the reference, for any number of threads", T, float, double) {
  GRAFT_NEEDS_DEVICE();
  // Each case uploads its weights anew, so those on the device are forgotten and no second product is free of allocations.
  Demands const demands{.steady = false};
  Cuda<> backend(all());
  everything_agrees<T>(backend, demands);
  Cuda<EigenBackend> on_eigen(all());
  linear_agrees<T>(on_eigen, demands);
  gemm_agrees<T>(on_eigen);
}

TEST_CASE("cuda: bf16 products are those of operands rounded to bf16") {
  GRAFT_NEEDS_DEVICE();
  Cuda<> backend(all(Precision::bf16));
  rounded_products_agree(backend, {.steady = false});
}

/// y = x·wᵀ of 600 tokens, more than a block of rows.
template <class B>
void product_into(B& backend, std::vector<float> const& x, std::vector<float> const& w, bool exact, std::vector<float>& y) {
  Index const in = 96, out = 64, tokens = static_cast<Index>(x.size()) / in;
  y.resize(static_cast<std::size_t>(tokens * out));
  StoredMatrix const weight{Storage::f32, reinterpret_cast<std::byte const*>(w.data()), out, in, nullptr, 0, exact};
  backend.linear_forward(In<float>(x.data(), tokens, in), weight, Out<float>(y.data(), tokens, out));
}
template <class B>
std::vector<float> product(B& backend, std::vector<float> const& x, std::vector<float> const& w, bool exact = false) {
  std::vector<float> y;
  product_into(backend, x, w, exact, y);
  return y;
}
inline std::vector<float> values(Index count, std::uint64_t seed) {
  Rng rng(seed);
  std::vector<float> list(static_cast<std::size_t>(count));
  for (float& value : list) value = static_cast<float>(rng.uniform(-1, 1));
  return list;
}

TEST_CASE("cuda: frozen weights stay on the device until their memory changes, trained ones are sent each time") {
  GRAFT_NEEDS_DEVICE();
  auto const x = values(600 * 96, 1);
  auto w = values(64 * 96, 2);
  auto const other = values(64 * 96, 3);
  std::size_t const bytes = w.size() * sizeof(float);
  Cuda<> backend(all()), fresh(all());
  auto const first = product(backend, x, w);
  CHECK(backend.weight_bytes() == bytes);
  CHECK(product(backend, x, w) == first);
  std::vector<float> again(first.size());
  auto const before = allocations.load();
  product_into(backend, x, w, false, again);
  CHECK(allocations.load() == before);
  CHECK(again == first);
  backend.upload(other.data(), w.data(), bytes);
  CHECK(backend.weight_bytes() == 0);
  auto const second = product(backend, x, w);
  CHECK(second == product(fresh, x, other));
  CHECK(second != first);
  w = values(64 * 96, 4);  // as if the memory had been freed and another model's weights lay there
  CHECK(product(backend, x, w) == product(fresh, x, values(64 * 96, 4)));

  Cuda<> trained(all());
  CHECK(product(trained, x, other, true) == second);
  CHECK(trained.weight_bytes() == 0);

  auto limited = all();
  limited.weight_bytes = bytes - 1;
  Cuda<> small(limited);
  CHECK(product(small, x, other) == second);
  CHECK(product(small, x, other) == second);
  CHECK(small.weight_bytes() == 0);
}

TEST_CASE("cuda: small products stay on the host, with the host's bits") {
  GRAFT_NEEDS_DEVICE();
  auto const x = values(600 * 96, 1), w = values(64 * 96, 2);
  Cuda<EigenBackend> backend;
  EigenBackend host;
  CHECK(product(backend, x, w) == product(host, x, w));
  CHECK(backend.weight_bytes() == 0);
}

}  // namespace graft::test
