// SPDX-License-Identifier: Apache-2.0
#include <graft/model/layer_stream.hpp>

#include <graft/adapter/lora.hpp>
#include <graft/core/pages.hpp>
#include <graft/io/build_model.hpp>
#include <graft/io/mapped_file.hpp>
#include <graft/model/llama.hpp>

#include <doctest/doctest.h>
#include <support/files.hpp>
#include <support/hf_directory.hpp>
#include <support/message_of.hpp>

#include <cerrno>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

using namespace graft;

namespace {

constexpr std::size_t layer_bytes = 1 << 16;

/// A file of six layers of two weights each, every byte the number of its layer.
struct SixLayers {
  test::TemporaryDirectory folder;
  std::optional<MappedFile> file;

  SixLayers() {
    std::string bytes;
    for (char layer = 0; layer < 6; ++layer) bytes += std::string(layer_bytes, layer);
    test::write_file(folder / "layers", bytes);
    file.emplace(folder / "layers");
  }
  [[nodiscard]] std::vector<LayerStream::Ranges> ranges() const {
    std::vector<LayerStream::Ranges> layers;
    for (std::size_t layer = 0; layer < 6; ++layer) {
      auto const bytes = file->bytes().subspan(layer * layer_bytes, layer_bytes);
      layers.push_back({bytes.first(1000), bytes.subspan(1000)});
    }
    return layers;
  }
  /// One pass forward and one backward.
  void run(LayerStream& stream) const {
    for (std::size_t layer = 0; layer < 6; ++layer) visit(stream, layer, layer < 5 ? std::optional(layer + 1) : std::nullopt);
    for (std::size_t layer = 6; layer-- > 0;) visit(stream, layer, layer > 0 ? std::optional(layer - 1) : std::nullopt);
  }

 private:
  void visit(LayerStream& stream, std::size_t layer, std::optional<std::size_t> next) const {
    stream.enter(layer, next);
    CHECK(static_cast<std::size_t>(file->bytes()[layer * layer_bytes + 17]) == layer);
  }
};

}  // namespace

TEST_CASE("LayerStream: the window is never passed, and a pass reads what it does not hold") {
  SixLayers const layers;
  std::size_t const window = 3 * layer_bytes;
  LayerStream stream(layers.ranges(), window);
  CHECK(stream.window() == window);
  CHECK(stream.resident_bytes() == 0);
  layers.run(stream);
  CHECK(stream.resident_bytes() == window);
  CHECK(stream.statistics().bytes == 9 * layer_bytes);  // six forward; backward finds 5, 4 and 3
  layers.run(stream);
  CHECK(stream.resident_bytes() == window);
  CHECK(stream.statistics().bytes == 15 * layer_bytes);  // forward finds 0, 1 and 2
}

TEST_CASE("LayerStream: a window for all layers reads each once") {
  SixLayers const layers;
  LayerStream stream(layers.ranges(), 6 * layer_bytes);
  layers.run(stream);
  layers.run(stream);
  CHECK(stream.statistics().bytes == 6 * layer_bytes);
}

TEST_CASE("LayerStream: a pass may break off and begin anew anywhere") {
  SixLayers const layers;
  LayerStream stream(layers.ranges(), 2 * layer_bytes);
  stream.enter(0, 1);
  stream.enter(4, 5);
  stream.enter(2, 1);
  layers.run(stream);
  CHECK(stream.resident_bytes() <= 2 * layer_bytes);
}

TEST_CASE("LayerStream: the least window holds the two largest neighbours; a smaller one is refused") {
  std::vector<std::size_t> const bytes{5, 1, 7, 2, 4};
  CHECK(LayerStream::least_window(bytes) == 9);
  CHECK(LayerStream::least_window({}) == 0);
  SixLayers const layers;
  CHECK(test::message_of([&] { LayerStream(layers.ranges(), 2 * layer_bytes - 1); }) ==
        "[stream] a window of 131071 bytes cannot hold two neighbouring layers, 131072 bytes");
}

TEST_CASE("LayerStream: a file that was shortened is an error, not a crash") {
  SixLayers const layers;
  std::vector<std::byte> probe(4096);
  if (detail::advise_pages({probe.data(), 1}, 22) == EINVAL) return;  // before Linux 5.14 nothing can be known
  std::filesystem::resize_file(layers.folder / "layers", 3 * layer_bytes);
  LayerStream stream(layers.ranges(), 2 * layer_bytes);
  stream.enter(2, std::nullopt);
  CHECK(test::message_of([&] { stream.enter(3, std::nullopt); }) ==
        "[stream] the weights of layer 3 cannot be read from their file: it was shortened, or the disk failed");
}

TEST_CASE("Transformer: a streamed base computes the same bits") {
  auto const config = test::tiny_config();
  test::HfDirectory<Llama> const directory(config);
  auto const files = open_model(directory.path());
  Reference backend;
  Lora const lora{.rank = 2, .seed = 3};
  auto const whole = build_model<Llama, double>(files, lora, backend), streamed = build_model<Llama, double>(files, lora, backend);
  auto const layers = streamed->mapped_layer_bytes();
  REQUIRE(layers.size() == static_cast<std::size_t>(config.num_hidden_layers));
  CHECK(layers.front() > 0);
  CHECK(whole->stream_window() == 0);
  streamed->stream_layers(LayerStream::least_window(layers));
  CHECK(streamed->stream_window() == LayerStream::least_window(layers));
  auto const batch = test::random_batch(config, {7, 3});
  for (int step = 0; step < 2; ++step) {
    auto const expected = whole->forward(batch, PassOptions::step()), actual = streamed->forward(batch, PassOptions::step());
    REQUIRE(actual.size() == expected.size());
    for (std::size_t n = 0; n < actual.size(); ++n) CHECK(actual[n].target_logprob == expected[n].target_logprob);
    std::vector<TokenStats> const gradient(expected.size(), TokenStats{.target_logprob = -1});
    whole->backward(gradient);
    streamed->backward(gradient);
  }
  for (std::size_t i = 0; i < whole->trainable().params.size(); ++i) {
    auto const a = whole->trainable().params[i].grad, b = streamed->trainable().params[i].grad;
    for (Index k = 0; k < a.rows * a.cols; ++k) CHECK(a.data[k] == b.data[k]);
  }
  CHECK(streamed->stream_statistics().bytes > 0);
}

TEST_CASE("Transformer: streaming needs a backend that reads host memory, and weights in a file") {
  auto const config = test::tiny_config();
  test::RandomWeights weights(config);
  Reference backend;
  Transformer<Llama, double, Reference, Lora> model(config, Lora{.rank = 2}, backend, weights.provider());
  for (std::size_t const bytes : model.mapped_layer_bytes()) CHECK(bytes == 0);
}
