// SPDX-License-Identifier: Apache-2.0
// graft inspect: what a model file, a model directory or an adapter directory holds.
#include "commands.hpp"

#include <graft/io/gguf.hpp>
#include <graft/io/peft_config.hpp>
#include <graft/io/safetensors.hpp>
#include <graft/io/weight_source.hpp>
#include <graft/train/progress.hpp>

#include <iostream>
#include <map>
#include <memory>

namespace cli {

namespace fs = std::filesystem;

struct Totals {
  graft::Index elements = 0;
  double bytes = 0;
  std::map<std::string, graft::Index> types;
  void add(std::string const& type, std::vector<graft::Index> const& shape, double size) {
    graft::Index n = 1;
    for (auto const d : shape) n *= d;
    elements += n;
    bytes += size;
    ++types[type];
  }
  void print(std::size_t tensors) const {
    std::cout << tensors << " tensors, " << elements << " elements, " << graft::format_bytes(bytes) << ':';
    for (auto const& [type, count] : types) std::cout << ' ' << count << "×" << type;
    std::cout << '\n';
  }
};

static void row(std::string const& name, std::string const& type, std::vector<graft::Index> const& shape) {
  std::cout << "  " << name << "  " << type << "  " << graft::shape_text(shape) << '\n';
}

static void inspect_gguf(fs::path const& path, bool all) {
  graft::GgufFile const file(path);
  std::cout << path.string() << ": GGUF, architecture " << file.architecture() << "\n\n";
  for (auto const& key : file.keys()) std::cout << "  " << key.key << " = " << key.summary << '\n';
  std::cout << '\n';
  Totals totals;
  for (auto const& tensor : file.tensors()) {
    totals.add(std::string(tensor.type.name), tensor.shape, static_cast<double>(tensor.bytes.size()));
    if (all) row(tensor.name, std::string(tensor.type.name), tensor.shape);
  }
  totals.print(file.tensors().size());
}

static void inspect_safetensors(fs::path const& path, bool all) {
  graft::SafetensorsFile const file(path);
  std::cout << path.string() << ": safetensors\n";
  Totals totals;
  for (auto const& tensor : file.tensors()) {
    totals.add(tensor.dtype, tensor.shape, static_cast<double>(tensor.bytes.size()));
    if (all) row(tensor.name, tensor.dtype, tensor.shape);
  }
  totals.print(file.tensors().size());
}

static void inspect_directory(fs::path const& path, bool all) {
  if (fs::exists(path / "adapter_config.json")) {
    graft::PeftOrigin origin;
    auto const lora = graft::read_peft_config(path, &origin);
    std::cout << path.string() << ": LoRA adapter of " << origin.base_model << "\n  rank " << lora.rank << ", alpha "
              << lora.alpha << ", scaling " << lora.scaling() << ", dropout " << lora.dropout << ", target modules "
              << lora.target_modules.text() << "\n\n";
  }
  bool found = false;
  for (auto const& entry : fs::directory_iterator(path))
    if (entry.path().extension() == ".safetensors") {
      inspect_safetensors(entry.path(), all);
      found = true;
    }
  graft::require(found, "inspect", path.string(), " holds no .safetensors file");
}

void add_inspect(CLI::App& app) {
  struct Flags {
    std::string path;
    bool all = false;
  };
  auto const flags = std::make_shared<Flags>();
  auto* command = app.add_subcommand("inspect", "what a model file, model directory or adapter directory holds");
  command->add_option("path,--model", flags->path, "GGUF file, .safetensors file or directory")->required();
  command->add_flag("--tensors", flags->all, "list every tensor");
  command->callback([flags] {
    fs::path const path = flags->path;
    graft::require(fs::exists(path), "inspect", "there is no ", path.string());
    if (fs::is_directory(path))
      inspect_directory(path, flags->all);
    else if (path.extension() == ".safetensors")
      inspect_safetensors(path, flags->all);
    else
      inspect_gguf(path, flags->all);
  });
}

}  // namespace cli
