// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/io/save_gguf.hpp>
#include <graft/io/save_quantized.hpp>

#include <CLI/CLI.hpp>

#include <cstddef>
#include <filesystem>
#include <iomanip>
#include <iostream>
#include <span>
#include <string>
#include <vector>

namespace cli {

/// The format to write a model in.
struct FormatFlags {
  std::string format;
  graft::Index block_size = 64;
  bool no_double_quant = false;
  std::string dtype = "bf16";
};

inline void add_format_flags(CLI::App& app, FormatFlags& flags, char const* standard) {
  flags.format = standard;
  app.add_option("--format", flags.format, "nf4, fp4, int8 (directories); q8_0, q4_0, q4_1, q5_0, q5_1, q4_k (.gguf); f16, bf16, f32 (both)")
      ->check(CLI::IsMember({"nf4", "fp4", "int8", "q8_0", "q4_0", "q4_1", "q5_0", "q5_1", "q4_k", "f16", "bf16", "f32"}))
      ->capture_default_str();
  app.add_option("--block-size", flags.block_size, "elements that share a scale in nf4 and fp4")->capture_default_str();
  app.add_flag("--no-double-quant", flags.no_double_quant, "keep the scales of nf4 and fp4 in f32");
  app.add_option("--rest", flags.dtype, "of what nf4, fp4 and int8 leave alone: embedding, head, norms")
      ->check(CLI::IsMember({"f32", "bf16", "f16"}))
      ->capture_default_str();
}

/// What writing values of a weight of that shape in the format, and reading them again, makes of them.
inline void quantise_in_format(FormatFlags const& flags, std::span<float> values, std::vector<graft::Index> const& shape) {
  graft::Storage const storage = graft::storage_named(flags.format);
  graft::Index const rows = shape[0], cols = shape[1];
  graft::MatrixView<float> const out(values.data(), rows, cols);
  if (graft::has_scales(storage)) {
    graft::FourBit const four_bit{storage, flags.block_size, !flags.no_double_quant};
    std::vector<float> exact(values.begin(), values.end());
    auto const encoded = graft::detail::encode_for_checkpoint(storage == graft::Storage::int8 ? nullptr : &four_bit, exact, shape);
    graft::decode_rows(encoded.matrix(), 0, rows, out);
    return;
  }
  std::vector<std::byte> bytes(static_cast<std::size_t>(graft::row_bytes(storage, cols)));
  for (graft::Index r = 0; r < rows; ++r) {
    graft::encode_row(storage, static_cast<float const*>(out.row(r)), cols, bytes.data());
    graft::decode_rows(graft::StoredMatrix{storage, bytes.data(), 1, cols}, 0, 1, out.rows_between(r, r + 1));
  }
}

/// Writes a model, merged with its adapter if it has one, and says what that cost.
template <class Model>
void save_in_format(Model const& model, graft::ModelFiles const& files, std::filesystem::path const& output, FormatFlags const& flags) {
  graft::Storage const storage = graft::storage_named(flags.format);
  bool const gguf = output.extension() == ".gguf";
  graft::require(!gguf || !graft::has_scales(storage), "format", flags.format, " has no place in a GGUF file: name a directory");
  graft::require(gguf || graft::has_scales(storage) || !graft::is_quantized(storage), "format", flags.format,
                 " is a format of GGUF files: name an output that ends in .gguf, got ", output.string());
  if (gguf) {
    graft::save_gguf(model, files.tokenizer->spec(), output, storage);
  } else if (!graft::has_scales(storage)) {
    graft::save_model(model, files, output, storage);
  } else {
    graft::FourBit const four_bit{storage, flags.block_size, !flags.no_double_quant};
    auto const report = graft::save_quantized(model, files, output, storage == graft::Storage::int8 ? nullptr : &four_bit,
                                              graft::storage_named(flags.dtype));
    double const total = static_cast<double>(report.quantized_bytes + report.other_bytes);
    std::cerr << report.quantized_weights << " weights in " << flags.format << " at " << std::setprecision(4) << report.bits_per_weight()
              << " bits each with all constants, off by " << 100 * report.relative_error() << " % (root mean square); the rest, in "
              << flags.dtype << ", takes " << static_cast<double>(report.other_bytes) / (1 << 20) << " of " << total / (1 << 20)
              << " MiB\n";
  }
  std::cerr << "wrote " << output.string() << '\n';
}

}  // namespace cli
