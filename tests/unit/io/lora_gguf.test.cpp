// SPDX-License-Identifier: Apache-2.0
#include <graft/io/lora_gguf.hpp>

#include <graft/io/gguf.hpp>
#include <graft/io/hf_config.hpp>

#include <support/files.hpp>
#include <support/message_of.hpp>

#include <doctest/doctest.h>

using namespace graft;

namespace {

std::filesystem::path const fixtures = GRAFT_FIXTURES_DIR;

std::vector<double> values(GgufFile const& file, std::string const& name) {
  GgufTensor const* const tensor = file.find_tensor(name);
  REQUIRE_MESSAGE(tensor != nullptr, name);
  std::vector<double> out(static_cast<std::size_t>(tensor->shape[0] * tensor->shape[1]));
  decode_row(tensor->storage(), tensor->bytes.data(), static_cast<Index>(out.size()), out.data());
  return out;
}

}  // namespace

TEST_CASE("lora gguf: what llama.cpp computes from the file is what PEFT computes from the adapter") {
  ModelConfig const config = read_hf_config(fixtures / "llama_tiny");
  for (char const* const name : {"lora_all_linear", "rslora_qv", "patterns", "one_layer"}) {
    CAPTURE(std::string(name));
    test::TemporaryDirectory const folder;
    auto const adapter = read_lora(fixtures / "llama_tiny/adapters" / name);
    write_lora_gguf(adapter, config, folder / "a.gguf");
    GgufFile const file(folder / "a.gguf");
    CHECK(file.get<std::string>("general.architecture") == "llama");
    CHECK(file.get<std::string>("general.type") == "adapter");
    CHECK(file.get<std::string>("adapter.type") == "lora");
    double const alpha = file.get<double>("adapter.lora.alpha");
    CHECK(file.tensors().size() == 2 * adapter.modules.size());
    for (auto const& [module, factors] : adapter.modules) {
      CAPTURE(module);
      std::string const tensor = *gguf_name_of_hf("llama", module + ".weight");
      auto const a = values(file, tensor + ".lora_a"), b = values(file, tensor + ".lora_b");
      CHECK(file.find_tensor(tensor + ".lora_a")->shape == std::vector<Index>{factors.rank, factors.in});
      CHECK(file.find_tensor(tensor + ".lora_b")->shape == std::vector<Index>{factors.out, factors.rank});
      bool const rotary = module.ends_with("q_proj") || module.ends_with("k_proj");
      double worst = 0;
      for (Index o = 0; o < factors.out; ++o) {
        // llama.cpp's converter: (head, 2, size/2) becomes (head, size/2, 2).
        Index const size = config.head_dim, inside = o % size;
        Index const row = rotary ? o - inside + 2 * (inside % (size / 2)) + inside / (size / 2) : o;
        for (Index i = 0; i < factors.in; ++i) {
          double theirs = 0, ours = 0;
          for (Index r = 0; r < factors.rank; ++r) {
            theirs += b[static_cast<std::size_t>(row * factors.rank + r)] * a[static_cast<std::size_t>(r * factors.in + i)];
            ours += factors.b_at(o, r) * factors.a_at(r, i);
          }
          worst = std::max(worst, std::abs(theirs * alpha / static_cast<double>(factors.rank) - ours * adapter.lora.for_module(module).scaling()));
        }
      }
      CHECK(worst <= 1e-6);
    }
  }
}

TEST_CASE("lora gguf: a module without a name, another model's shapes, block formats") {
  test::TemporaryDirectory const folder;
  ModelConfig config = read_hf_config(fixtures / "llama_tiny");
  auto adapter = read_lora(fixtures / "llama_tiny/adapters/rslora_qv");
  auto const says = [&](Storage storage = Storage::f32) {
    return test::message_of([&] { write_lora_gguf(adapter, config, folder / "a.gguf", storage); });
  };
  CHECK(says(Storage::q8_0) == "[lora_gguf] the matrices can be f32, f16 or bf16: got q8_0");
  config.head_dim = 16;
  CHECK(says() == "[lora_gguf] model.layers.0.self_attn.q_proj has 32 rows in the adapter, but 64 in the model");
  config.head_dim = 8;
  adapter.modules["model.vision.proj"] = LowRank::zeros(1, 1, 1);
  CHECK(says() == "[lora_gguf] the module model.vision.proj has no name in GGUF files of llama");
  CHECK(std::filesystem::is_empty(folder.path()));
}
