// SPDX-License-Identifier: Apache-2.0
// PiSSA, OLoRA and LoftQ against PEFT: fixture by tests/parity/make_low_rank_start.py.
#include <graft/adapter/low_rank_start.hpp>
#include <graft/io/safetensors.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

using namespace graft;

namespace {

constexpr Index out = 48, in = 40, rank = 4;
constexpr double scaling = 2;

std::vector<float> values(SafetensorsFile const& file, std::string const& name) {
  auto const* const tensor = file.find(name);
  REQUIRE(tensor != nullptr);
  auto const* const begin = reinterpret_cast<float const*>(tensor->bytes.data());
  return {begin, begin + tensor->bytes.size() / sizeof(float)};
}

/// factor·b·a
std::vector<float> product(LowRank const& factors, double factor) {
  std::vector<float> w;
  for (Index o = 0; o < out; ++o)
    for (Index i = 0; i < in; ++i) {
      double sum = 0;
      for (Index r = 0; r < rank; ++r) sum += factors.b_at(o, r) * factors.a_at(r, i);
      w.push_back(static_cast<float>(factor * sum));
    }
  return w;
}

double relative(std::vector<float> const& expected, std::vector<float> const& actual) {
  REQUIRE(expected.size() == actual.size());
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    difference += std::pow(static_cast<double>(expected[i]) - static_cast<double>(actual[i]), 2);
    norm += std::pow(static_cast<double>(expected[i]), 2);
  }
  return std::sqrt(difference / norm);
}

}  // namespace

TEST_CASE("low-rank start parity: the base that PEFT leaves and the update it begins with, by PiSSA and OLoRA") {
  SafetensorsFile const file(std::filesystem::path(GRAFT_FIXTURES_DIR) / "low_rank_start" / "expected.safetensors");
  auto const w = values(file, "w");
  In<float> const view(w.data(), out, in);
  for (std::string const name : {"pissa", "olora"}) {
    auto const start = low_rank_start(view, rank, scaling, low_rank_start_named(name));
    CHECK(relative(values(file, name + ".update"), product(start.factors, scaling)) < 2e-5);
    std::vector<float> base(w.size());
    subtract_low_rank(view, start.subtracted, Out<float>(base.data(), out, in));
    CHECK(relative(values(file, name + ".base"), base) < 2e-5);
  }
}

TEST_CASE("low-rank start parity: LoftQ's turns are PEFT's, with the scaling taken out") {
  SafetensorsFile const file(std::filesystem::path(GRAFT_FIXTURES_DIR) / "low_rank_start" / "expected.safetensors");
  auto const w = values(file, "w");
  auto const eighths = [](std::span<float> x) {
    for (float& value : x) value = std::nearbyint(value * 8) / 8;
  };
  for (Index const turns : {1, 3}) {
    LowRankStartOptions options = low_rank_start_named("loftq");
    options.loftq_iterations = turns;
    auto const start = low_rank_start(In<float>(w.data(), out, in), rank, scaling, options, eighths);
    CHECK(relative(values(file, "loftq." + std::to_string(turns)), product(start.factors, scaling)) < 1e-5);
  }
}
