// SPDX-License-Identifier: Apache-2.0
// For check_bitsandbytes.py: quantize_tensors IN OUT. Quantises every tensor NAME.FORMAT.BLOCK.NESTED of a safetensors file and
// writes its elements, absmax, nested_absmax, offset and decoded values.
#include <graft/io/safetensors.hpp>
#include <graft/io/safetensors_writer.hpp>
#include <graft/quant/decode.hpp>
#include <graft/quant/encode_scaled.hpp>

#include <cstdlib>
#include <deque>
#include <string>
#include <vector>

using namespace graft;

int main(int, char** argv) {
  SafetensorsFile const file(argv[1]);
  std::deque<std::vector<float>> floats;
  std::deque<HostTensor> encoded;
  std::vector<TensorToWrite> out;
  for (auto const& tensor : file.tensors()) {
    auto const first = tensor.name.find('.'), second = tensor.name.find('.', first + 1), third = tensor.name.find('.', second + 1);
    std::string const format = tensor.name.substr(first + 1, second - first - 1);
    Index const rows = tensor.shape[0], cols = tensor.shape[1];
    std::vector<float> values(static_cast<std::size_t>(rows * cols));
    std::memcpy(values.data(), tensor.bytes.data(), tensor.bytes.size());
    FourBit const four_bit{format == "fp4" ? Storage::fp4 : Storage::nf4, std::atol(tensor.name.c_str() + second + 1), tensor.name[third + 1] == '1'};
    HostTensor const& q = encoded.emplace_back(format == "int8" ? encode_int8(values, tensor.shape) : encode_4bit(four_bit, values, tensor.shape));
    BlockScales const& scales = *q.scales;
    auto const bytes = [](std::byte const* data, Index size) { return std::span(data, static_cast<std::size_t>(size)); };
    Index const size = rows * cols;
    out.push_back({tensor.name, format == "int8" ? "I8" : "U8", {q.matrix().bytes()}, bytes(q.data, q.matrix().bytes()), {}});
    if (scales.nested()) {
      Index const blocks = scales.blocks(size), groups = scales.absmax_count(size);
      out.push_back({tensor.name + ".absmax", "U8", {blocks}, bytes(scales.codes, blocks), {}});
      out.push_back({tensor.name + ".nested_absmax", "F32", {groups}, bytes(scales.absmax, 4 * groups), {}});
      out.push_back({tensor.name + ".offset", "F32", {1}, std::as_bytes(std::span(&scales.offset, 1)), {}});
    } else {
      out.push_back({tensor.name + ".absmax", "F32", {scales.absmax_count(size)}, bytes(scales.absmax, 4 * scales.absmax_count(size)), {}});
    }
    auto& decoded = floats.emplace_back(values.size());
    decode_rows(q.matrix(), 0, rows, MatrixView<float>(decoded.data(), rows, cols));
    out.push_back({tensor.name + ".decoded", "F32", {rows, cols}, std::as_bytes(std::span(decoded)), {}});
  }
  write_safetensors(argv[2], out);
}
