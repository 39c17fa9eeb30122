// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "support/count_allocations.hpp"

#include <graft/backend/reference.hpp>
#include <graft/core/parallel.hpp>
#include <graft/core/rng.hpp>

#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

namespace graft::test {

/// A matrix of test data on the host. `stride` > cols leaves a gap behind each row, which no operation may change.
template <Scalar T>
struct HostMatrix {
  Index rows = 0;
  Index cols = 0;
  Index stride = 0;
  std::vector<T> values;

  static HostMatrix filled(Index rows, Index cols, T value, Index gap = 0) {
    return {rows, cols, cols + gap, std::vector<T>(static_cast<std::size_t>(rows * (cols + gap)), value)};
  }
  static HostMatrix random(Index rows, Index cols, Rng& rng, double scale = 1, Index gap = 0) {
    HostMatrix matrix = filled(rows, cols, T{0}, gap);
    for (T& value : matrix.values) value = static_cast<T>(scale * rng.normal());
    return matrix;
  }
};

/// An array in backend memory with the given content.
template <class T, class B>
class DeviceArray {
 public:
  DeviceArray(B& backend, std::vector<T> const& values)
      : backend_(&backend), count_(values.size()), memory_(backend.allocate(count_ * sizeof(T))) {
    backend.upload(values.data(), memory_.data(), count_ * sizeof(T));
  }
  [[nodiscard]] T* data() const { return static_cast<T*>(memory_.data()); }
  [[nodiscard]] std::vector<T> values() const {
    std::vector<T> host(count_);
    backend_->download(memory_.data(), host.data(), count_ * sizeof(T));
    return host;
  }

 private:
  B* backend_;
  std::size_t count_;
  typename B::Memory memory_;
};

/// The data of one test case: matrices of the scalar type, id arrays and stored weights, which the operation may use.
template <Scalar T>
struct Case {
  std::vector<HostMatrix<T>> matrices;
  std::vector<std::vector<std::int32_t>> ids;
  std::vector<std::byte> weights;
  Storage storage = Storage::f32;
  Index weight_rows = 0, weight_cols = 0;
};

/// A case in the memory of one backend.
template <Scalar T>
struct Arguments {
  std::vector<Out<T>> m;
  std::vector<std::int32_t const*> ids;
  StoredMatrix weight;
};

struct Outcome {
  std::size_t allocations = 0;
};

/// Runs op(backend, arguments) on the case's data in backend memory; returns the matrices afterwards.
template <Scalar T, class B, class F>
std::vector<std::vector<T>> run_case(B& backend, Case<T> const& data, F const& op, Outcome* outcome = nullptr) {
  std::vector<DeviceArray<T, B>> matrices;
  std::vector<DeviceArray<std::int32_t, B>> ids;
  DeviceArray<std::byte, B> const weights(backend, data.weights);
  Arguments<T> arguments{{}, {}, {data.storage, weights.data(), data.weight_rows, data.weight_cols}};
  for (auto const& matrix : data.matrices) {
    matrices.emplace_back(backend, matrix.values);
    arguments.m.emplace_back(matrices.back().data(), matrix.rows, matrix.cols, matrix.stride);
  }
  for (auto const& list : data.ids) arguments.ids.push_back(ids.emplace_back(backend, list).data());
  std::size_t const before = allocations;
  op(backend, arguments);
  backend.synchronize();
  if (outcome != nullptr) outcome->allocations = allocations - before;
  std::vector<std::vector<T>> results;
  for (auto const& matrix : matrices) results.push_back(matrix.values());
  CHECK(weights.values() == data.weights);
  return results;
}

template <Scalar T>
[[nodiscard]] bool same_bits(std::vector<T> const& a, std::vector<T> const& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

/// The largest |actual - expected| / (1 + |expected|); infinity where one is NaN and the other is not.
template <Scalar T>
[[nodiscard]] double deviation(std::vector<T> const& actual, std::vector<T> const& expected) {
  REQUIRE(actual.size() == expected.size());
  double largest = 0;
  for (std::size_t i = 0; i < actual.size(); ++i) {
    auto const a = static_cast<double>(actual[i]), e = static_cast<double>(expected[i]);
    if (std::isnan(a) && std::isnan(e)) continue;
    double const difference = a == e ? 0 : std::abs(a - e) / (1 + std::abs(e));
    if (!(difference <= largest)) largest = std::isnan(difference) ? HUGE_VAL : difference;
  }
  return largest;
}

/// What is asked of a backend beside the right numbers.
struct Demands {
  double float_tolerance = 3e-5;  ///< of 1 + |expected|, against sums in double
  double double_tolerance = 1e-12;
  bool steady = true;  ///< the second run allocates nothing
};

/// Checks the operation on `backend` against `Reference`, that 1, 2 and 3 threads give the same bits, and that runs after
/// the first allocate nothing. Every element of every matrix is compared, gaps and inputs included.
template <Scalar T, class B, class F>
void agree(B& backend, std::string const& what, Case<T> const& data, Demands demands, F const& op) {
  CAPTURE(what);
  Reference reference;
  auto const expected = run_case(reference, data, op);
  int const threads = num_threads();
  std::vector<std::vector<T>> first;
  for (int const n : {3, 1, 2}) {
    CAPTURE(n);
    set_num_threads(n);
    Outcome outcome;
    auto const actual = run_case(backend, data, op, &outcome);
    for (std::size_t i = 0; i < actual.size(); ++i) {
      CAPTURE(i);
      double const tolerance = std::is_same_v<T, float> ? demands.float_tolerance : demands.double_tolerance;
      CHECK(deviation(actual[i], expected[i]) <= tolerance);
      if (!first.empty()) CHECK_MESSAGE(same_bits(actual[i], first[i]), "the number of threads changes the result");
    }
    if (first.empty())
      first = actual;
    else if (demands.steady)
      CHECK(outcome.allocations == 0);
  }
  set_num_threads(threads);
}

}  // namespace graft::test
