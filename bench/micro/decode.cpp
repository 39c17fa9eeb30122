// SPDX-License-Identifier: Apache-2.0
// Decoding weights to float on one core, in bytes of output per second; a 2 MiB tile as the training step decodes it.
#include <graft/quant/decode.hpp>
#include <graft/quant/encode_scaled.hpp>

#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace {

using namespace graft;

template <class T>
void BM_decode(benchmark::State& state) {
  auto const storage = static_cast<Storage>(state.range(0));
  constexpr Index rows = 256, cols = 2048;
  std::vector<std::byte> weights(static_cast<std::size_t>(rows * row_bytes(storage, cols)));
  std::uint32_t random = 1;
  for (std::byte& byte : weights) byte = static_cast<std::byte>((random = random * 1664525 + 1013904223) >> 26);  // finite scales
  std::vector<T> out(rows * cols);
  HostTensor scaled;  // formats with scales apart are encoded
  if (has_scales(storage)) {
    std::vector<float> const values(rows * cols, 0.5f);
    scaled = storage == Storage::int8 ? encode_int8(values, {rows, cols}) : encode_4bit({.storage = storage}, values, {rows, cols});
  }
  StoredMatrix const matrix = has_scales(storage) ? scaled.matrix() : StoredMatrix{storage, weights.data(), rows, cols};
  for (auto _ : state) {
    decode_rows(matrix, 0, rows, MatrixView<T>(out.data(), rows, cols));
    benchmark::ClobberMemory();
  }
  state.SetLabel(std::string(name(storage)));
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(out.size() * sizeof(T)));
}

}  // namespace

BENCHMARK(BM_decode<float>)->DenseRange(0, 18);
BENCHMARK(BM_decode<graft::bf16>)->DenseRange(1, 18);
BENCHMARK_MAIN();
